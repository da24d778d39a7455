// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Historical is what of old signatures a policy lets pass. Earlier releases had true or false in its place, which are still
// read: all exceptions without a date, or none.
type Historical struct {
	Allow        []string `yaml:"allow,omitempty"`         // names of formats.Exceptions
	SignedBefore string   `yaml:"signed_before,omitempty"` // a date or an RFC 3339 time, as the signer claims it
	LoggedBefore string   `yaml:"logged_before,omitempty"` // a date or an RFC 3339 time
}

// IsAll reports whether everything passes without a date: the earlier releases' true.
func (h Historical) IsAll() bool {
	loaded, err := h.load()
	return err == nil && loaded == formats.AllowAll(true)
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (h *Historical) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind != yaml.MappingNode {
		var all bool
		if err := node.Decode(&all); err != nil || node.ShortTag() != "!!bool" {
			return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: cannot unmarshal %s `%s` into config.Historical", node.Line, node.ShortTag(), node.Value)}}
		}
		*h = Historical{}
		if all {
			h.Allow = formats.ExceptionNames()
		}
		return nil
	}
	if err := refuseUnknownKeys(node, reflect.TypeFor[Historical]()); err != nil {
		return err
	}
	type plain Historical // without this method
	return node.Decode((*plain)(h))
}

// refuseUnknownKeys is for types that read their nodes themselves: the decoder's own check does not reach them.
func refuseUnknownKeys(node *yaml.Node, t reflect.Type) error {
	known := map[string]bool{}
	walkKeys(t, "", func(_ reflect.Type, key string) { known[key] = true })
	for i := 0; i+1 < len(node.Content); i += 2 {
		if key := node.Content[i]; !known[key.Value] {
			return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: field %s not found in type %s", key.Line, key.Value, t)}}
		}
	}
	return nil
}

// MarshalJSON writes what earlier releases could say as they did: processes of both compare digests of it.
func (h Historical) MarshalJSON() ([]byte, error) {
	if len(h.Allow) == 0 && h.SignedBefore == "" && h.LoggedBefore == "" || h.IsAll() {
		return json.Marshal(h.IsAll())
	}
	type plain Historical // without this method
	return json.Marshal(plain(h))
}

// load returns what h says. Errors begin with the key below historical.
func (h Historical) load() (out formats.Historical, err error) {
	if out.Allow, err = formats.ParseExceptions(h.Allow); err != nil {
		return formats.Historical{}, fmt.Errorf("allow: %w", err)
	}
	if out.SignedBefore, err = parseDate(h.SignedBefore); err != nil {
		return formats.Historical{}, fmt.Errorf("signed_before: %w", err)
	}
	if out.LoggedBefore, err = parseDate(h.LoggedBefore); err != nil {
		return formats.Historical{}, fmt.Errorf("logged_before: %w", err)
	}
	if out.Allow == 0 && out != (formats.Historical{}) {
		return formats.Historical{}, fmt.Errorf("allow is missing: say what the dates are for, of %v", formats.AllExceptions)
	}
	return out, nil
}

// parseDate reads a time or a date, whose day begins in UTC; "" is the zero time.
func parseDate(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil && t.Unix() > 0 {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%.40q is no time: write it as 2005-01-31, or 2005-01-31T12:00:00Z", s)
}
