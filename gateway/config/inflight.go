// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// InFlight is a bound on entries under way at once: a whole number above zero, or AutoInFlight. In YAML it is the number or
// "auto". Zero is not set.
type InFlight int

// AutoInFlight is a bound that the gateway finds.
const AutoInFlight InFlight = -1

// maxInFlight keeps one log's share of memory and of the log's own capacity sane.
const maxInFlight = 65536

// UnmarshalYAML implements yaml.Unmarshaler.
func (f *InFlight) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode && node.Value == "auto" {
		*f = AutoInFlight
		return nil
	}
	n, err := strconv.Atoi(node.Value)
	if err != nil || node.Kind != yaml.ScalarNode || n < 1 || n > maxInFlight {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: cannot unmarshal %s `%s` into config.InFlight", node.Line, node.ShortTag(), node.Value)}}
	}
	*f = InFlight(n)
	return nil
}

// MarshalYAML implements yaml.Marshaler.
func (f InFlight) MarshalYAML() (any, error) {
	if f == AutoInFlight {
		return "auto", nil
	}
	return int(f), nil
}
