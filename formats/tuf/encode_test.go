// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// TestEncodeInPieces: what is encoded in pieces is what the library makes of the whole.
func TestEncodeInPieces(t *testing.T) {
	wide, list := m{}, []any{}
	for i := range 3 * pieceSize {
		wide[fmt.Sprintf("%d\"\n", i*7919)] = []any{"x", nil}
		list = append(list, m{"b": true, "a": fmt.Sprint(i)})
	}
	text := strings.Repeat("<text>", 64*pieceSize)
	for name, v := range map[string]any{
		"object":            wide,
		"array":             list,
		"long text":         text,
		"long name":         m{text: "x", "a": "b"},
		"large among small": m{"a": "1", "b": wide, "c": "2", "d": list, "e": []any{"1", wide, "2", text, "3"}},
		"nested":            []any{[]any{[]any{list}}, m{"x": m{"y": wide}}},
		"empty":             m{},
		"empty, large":      m{"a": m{}, "b": []any{}, "c": list},
	} {
		got, err := encodeCanonical(meter(t), v)
		if err != nil || !bytes.Equal(got, canonicalJSON(t, v)) {
			t.Errorf("%s: not the library's form (%v)", name, err)
		}
	}
}
