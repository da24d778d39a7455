// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"math"
	"strconv"

	"github.com/dustin/go-humanize"
	"go.yaml.in/yaml/v3"
)

// Size is a number of bytes. In YAML it is a whole number, or a number with a unit: 8GiB (1024 to the third power) or
// 8GB (1000).
type Size int64

// UnmarshalYAML implements yaml.Unmarshaler.
func (s *Size) UnmarshalYAML(node *yaml.Node) error {
	n, err := parseSize(node)
	if err != nil {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: cannot unmarshal %s `%s` into config.Size", node.Line, node.ShortTag(), node.Value)}}
	}
	*s = Size(n)
	return nil
}

func parseSize(node *yaml.Node) (int64, error) {
	if node.Kind != yaml.ScalarNode {
		return 0, strconv.ErrSyntax
	}
	if n, err := strconv.ParseInt(node.Value, 10, 64); err == nil {
		return n, nil
	}
	n, err := humanize.ParseBytes(node.Value)
	if err == nil && n > math.MaxInt64 {
		err = strconv.ErrRange
	}
	return int64(n), err
}

// units are those that String uses.
var units = []struct {
	size Size
	name string
}{{1 << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}}

// String returns the size as it is read back: with the largest unit that leaves a whole number.
func (s Size) String() string {
	for _, u := range units {
		if s != 0 && s%u.size == 0 {
			return fmt.Sprintf("%d%s", s/u.size, u.name)
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalYAML implements yaml.Marshaler.
func (s Size) MarshalYAML() (any, error) {
	if text := s.String(); text != strconv.FormatInt(int64(s), 10) {
		return text, nil
	}
	return int64(s), nil
}
