// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestEncodesAsLibrary: what is encoded is what the library makes of it; FuzzDecodeJSON looks for more.
func TestEncodesAsLibrary(t *testing.T) {
	t.Parallel()
	wide, list := m{}, []any{}
	for i := range 1 << 12 {
		wide[fmt.Sprintf("%d\"\n", i*7919)] = []any{"x", nil}
		list = append(list, m{"b": i%2 == 0, "a": fmt.Sprint(i)})
	}
	text := strings.Repeat("<text>", 1<<16)
	for name, v := range map[string]any{
		"object":            wide,
		"array":             list,
		"long text":         text,
		"long name":         m{text: "x", "a": "b"},
		"large among small": m{"a": "1", "b": wide, "c": "2", "d": list, "e": []any{"1", wide, "2", text, "3"}},
		"nested":            []any{[]any{[]any{list}}, m{"x": m{"y": wide}}},
		"escapes":           m{`\`: `\\""\"`, `"`: "\x00\n\u2028\u00e9\U0001f600", "": `"`},
		"order":             m{"b": "", "B": "", "\u00e9": "", "\uffff": "", "\U00010000": "", "ab": "", "a": "", "a\x00": ""},
		"numbers":           []any{json.Number("0"), json.Number("-9223372036854775808"), json.Number("9223372036854775807")},
		"empty":             m{},
		"empty, large":      m{"a": m{}, "b": []any{}, "c": list},
	} {
		got, err := encodeCanonical(meter(t), v)
		if err != nil || !bytes.Equal(got, canonicalJSON(t, v)) {
			t.Errorf("%s: not the library's form (%v)", name, err)
		}
	}
}

// TestEncodesWhatIsDecoded: nothing else has a form.
func TestEncodesWhatIsDecoded(t *testing.T) {
	t.Parallel()
	for _, v := range []any{json.Number("1.0"), json.Number("9223372036854775808"), json.Number(""), 1, 1.0, []string{"a"}, map[string]string{}} {
		if got, err := encodeCanonical(meter(t), []any{v}); err == nil || got != nil {
			t.Errorf("%T %v: %s, %v", v, v, got, err)
		}
	}
}
