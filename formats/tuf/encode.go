// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// encodeCanonical returns v, as decodeJSON made it, as canonical JSON (http://wiki.laptop.org/go/Canonical_JSON, to which the TUF specification leads):
// no white space, members in the order of their names' octets, and in texts nothing escaped but quotation mark and backslash. It is what the library
// securesystemslib makes, which the tests compare it with; that encodes and decodes v before, and cannot be stopped. Errors are m's, or for a value that
// decodeJSON does not return.
func encodeCanonical(m *formats.Meter, v any) ([]byte, error) {
	e := encoder{meter: m, out: make([]byte, 0, 1<<10)}
	if err := e.encodeValue(v); err != nil {
		return nil, err
	}
	return e.out, m.ChargeBytes(costOctet * len(e.out))
}

type encoder struct {
	meter *formats.Meter
	out   []byte
}

func (e *encoder) encodeValue(v any) error {
	if err := e.meter.ChargeElements(costValue); err != nil {
		return err
	}
	switch v := v.(type) {
	case string:
		return e.encodeText(v)
	case map[string]any:
		return e.encodeObject(v)
	case []any:
		return e.encodeArray(v)
	case json.Number:
		if _, err := v.Int64(); err != nil {
			return fmt.Errorf("encoding JSON: %.40q is no integer", v)
		}
		e.out = append(e.out, v...)
	case bool:
		e.out = strconv.AppendBool(e.out, v)
	case nil:
		e.out = append(e.out, "null"...)
	default:
		return fmt.Errorf("encoding JSON: there is no form of a %T", v)
	}
	return nil
}

// longText is the length, in octets, from which on a text costs as much as further values.
const longText = 64

func (e *encoder) encodeText(s string) error {
	if err := e.meter.ChargeElements(costValue * (len(s) / longText)); err != nil {
		return err
	}
	e.out = append(e.out, '"')
	for i := strings.IndexAny(s, `"\`); i >= 0; i = strings.IndexAny(s, `"\`) {
		e.out = append(append(e.out, s[:i]...), '\\', s[i])
		s = s[i+1:]
	}
	e.out = append(append(e.out, s...), '"')
	return nil
}

func (e *encoder) encodeObject(o map[string]any) error {
	names := make([]string, 0, len(o))
	for name := range o {
		names = append(names, name)
	}
	slices.Sort(names)
	e.out = append(e.out, '{')
	for i, name := range names {
		if i > 0 {
			e.out = append(e.out, ',')
		}
		if err := e.encodeText(name); err != nil {
			return err
		}
		e.out = append(e.out, ':')
		if err := e.encodeValue(o[name]); err != nil {
			return err
		}
	}
	e.out = append(e.out, '}')
	return nil
}

func (e *encoder) encodeArray(a []any) error {
	e.out = append(e.out, '[')
	for i, v := range a {
		if i > 0 {
			e.out = append(e.out, ',')
		}
		if err := e.encodeValue(v); err != nil {
			return err
		}
	}
	e.out = append(e.out, ']')
	return nil
}
