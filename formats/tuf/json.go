// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Bounds on what is decoded, whatever the size limit of a file would allow.
const (
	maxDepth  = 64
	maxValues = 1 << 18 // a targets file of 4 MiB has about half as many
)

// decoder reads one JSON file more strictly than encoding/json: no member name twice, no
// number but an integer, no string that is not Unicode. So all readers of the file see the
// same values, and two files that differ in a value differ in their canonical form.
type decoder struct {
	meter  *formats.Meter
	tokens *jsontext.Decoder
	text   string         // what tokens reads: texts without escapes are parts of it
	reason formats.Reason // of refusals: MALFORMED_SIGNATURE or MALFORMED_KEY
	values int
}

// Costs of decoding JSON and of encoding it again: of a value, in elements, and of an octet, which is scanned
// several times.
const (
	costValue = 20
	costOctet = 15
)

// newTokens reads the grammar alone: what a name or a text may be is for who reads it to say.
func newTokens(data []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// decodeJSON returns the object that data is, as maps, slices, strings, json.Numbers, bools and nil.
func decodeJSON(m *formats.Meter, data []byte, reason formats.Reason) (object, error) {
	if err := m.ChargeBytes(costOctet * len(data)); err != nil {
		return object{}, err
	}
	if !utf8.Valid(data) {
		return object{}, errMalformed(reason, errNotUnicode)
	}
	raw, err := firstValue(data, reason)
	if err != nil {
		return object{}, err
	}
	d := decoder{meter: m, tokens: newTokens(raw), text: string(raw), reason: reason}
	v, err := d.decodeValue(0)
	if err != nil {
		return object{}, err
	}
	members, ok := v.(map[string]any)
	if !ok {
		return object{}, errMalformed(reason, errors.New("the file is no JSON object"))
	}
	return object{members: members, reason: reason}, nil
}

// firstValue checks the grammar of the whole value, which comes before all that is said of a
// part of it, and refuses anything but white space after it.
func firstValue(data []byte, reason formats.Reason) (jsontext.Value, error) {
	dec := newTokens(data)
	raw, err := dec.ReadValue()
	if err != nil {
		return nil, errMalformed(reason, errNotJSON)
	}
	if rest := bytes.Trim(data[dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return nil, formats.NewError(formats.ReasonTrailingData, "there is data after the end of the JSON object",
			"send one metadata file at a time, unchanged")
	}
	return raw, nil
}

var (
	errNotJSON    = errors.New("the file is not valid JSON")
	errNotUnicode = errors.New("the file holds text that is not valid Unicode")
)

func errMalformed(reason formats.Reason, err error) error {
	if reason == formats.ReasonMalformedKey {
		return formats.WrapError(err, reason, "a key file is not well-formed TUF metadata: "+err.Error(),
			"send root.json as the key, as the repository publishes it")
	}
	return formats.WrapError(err, reason, "not well-formed TUF metadata: "+err.Error(),
		"send the metadata file as the repository publishes it")
}

func (d *decoder) decodeValue(depth int) (any, error) {
	if d.values++; d.values > maxValues || depth > maxDepth {
		return nil, formats.NewError(formats.ReasonTooLarge, "the metadata holds too many values or nests them too deeply",
			"split the metadata, for example by delegations")
	}
	if err := d.meter.ChargeElements(costValue); err != nil {
		return nil, err
	}
	switch d.tokens.PeekKind() {
	case jsontext.KindString:
		return d.readText()
	case jsontext.KindNumber:
		return d.readNumber()
	}
	t, err := d.tokens.ReadToken()
	if err != nil {
		return nil, errMalformed(d.reason, errNotJSON)
	}
	switch t.Kind() {
	case jsontext.KindBeginObject:
		return d.decodeObject(depth)
	case jsontext.KindBeginArray:
		return d.decodeArray(depth)
	case jsontext.KindTrue, jsontext.KindFalse:
		return t.Bool(), nil
	case jsontext.KindNull:
		return nil, nil
	}
	return nil, errMalformed(d.reason, errNotJSON)
}

// readRaw returns the next name, text or number as it is written.
func (d *decoder) readRaw() (string, error) {
	v, err := d.tokens.ReadValue()
	if err != nil {
		return "", errMalformed(d.reason, errNotJSON)
	}
	end := int(d.tokens.InputOffset())
	return d.text[end-len(v) : end], nil
}

// readText refuses U+FFFD, which other readers make of half a surrogate pair: such a string would sign as another one.
func (d *decoder) readText() (string, error) {
	raw, err := d.readRaw()
	if err != nil {
		return "", err
	}
	s := raw[1 : len(raw)-1]
	if strings.Contains(s, `\`) {
		unquoted, err := jsontext.AppendUnquote(nil, raw)
		if err != nil {
			return "", errMalformed(d.reason, errNotUnicode)
		}
		s = string(unquoted)
	}
	if strings.Contains(s, "\ufffd") {
		return "", errMalformed(d.reason, errNotUnicode)
	}
	return s, nil
}

func (d *decoder) readNumber() (json.Number, error) {
	raw, err := d.readRaw()
	if err != nil {
		return "", err
	}
	n := json.Number(raw)
	if _, err := n.Int64(); err != nil || n == "-0" {
		return "", errMalformed(d.reason, errors.New("a number is not an integer of 64 bits"))
	}
	return n, nil
}

func (d *decoder) decodeArray(depth int) (any, error) {
	list := []any{}
	for d.tokens.PeekKind() != jsontext.KindEndArray {
		v, err := d.decodeValue(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, d.readEnd()
}

func (d *decoder) decodeObject(depth int) (any, error) {
	members := map[string]any{}
	for d.tokens.PeekKind() != jsontext.KindEndObject {
		name, err := d.readText()
		if err != nil {
			return nil, err
		}
		if _, twice := members[name]; twice {
			return nil, errMalformed(d.reason, fmt.Errorf("the member %.40q stands twice in one object", name))
		}
		if members[name], err = d.decodeValue(depth + 1); err != nil {
			return nil, err
		}
	}
	return members, d.readEnd()
}

// readEnd reads the closing delimiter.
func (d *decoder) readEnd() error {
	if _, err := d.tokens.ReadToken(); err != nil {
		return errMalformed(d.reason, errNotJSON)
	}
	return nil
}

// object is a decoded JSON object whose members are read by name and type.
type object struct {
	members map[string]any
	reason  formats.Reason
}

func (o object) errMalformed(format string, args ...any) error {
	return errMalformed(o.reason, fmt.Errorf(format, args...))
}

// checkNames refuses members that only differ in case from the names the object is read by:
// some JSON readers, Go's among them, would take the one for the other.
func (o object) checkNames(names ...string) error {
	for member := range o.members {
		if slices.Contains(names, member) {
			continue
		}
		for _, name := range names {
			if strings.EqualFold(member, name) {
				return o.errMalformed("the member %.40q should be written %q", member, name)
			}
		}
	}
	return nil
}

func (o object) hasMember(name string) bool { return o.members[name] != nil }

func (o object) readText(name string) (string, error) {
	s, ok := o.members[name].(string)
	if !ok {
		return "", o.errMalformed("%q is missing or no string", name)
	}
	return s, nil
}

func (o object) readInteger(name string) (int64, error) {
	n, ok := o.members[name].(json.Number)
	if !ok {
		return 0, o.errMalformed("%q is missing or no number", name)
	}
	return n.Int64()
}

func (o object) readList(name string) ([]any, error) {
	l, ok := o.members[name].([]any)
	if !ok {
		return nil, o.errMalformed("%q is missing or no array", name)
	}
	return l, nil
}

func (o object) readObject(name string) (object, error) { return o.asObject(o.members[name], name) }

// asObject returns v, found at name, as an object.
func (o object) asObject(v any, name string) (object, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return object{}, o.errMalformed("%.40q is missing or no object", name)
	}
	return object{members: m, reason: o.reason}, nil
}
