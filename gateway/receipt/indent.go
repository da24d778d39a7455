// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"slices"
)

// indentStep is one level of indentation.
const indentStep = "  "

// indentJSON appends b to out as json.Indent does, with indentStep. It is for what protojson has made, which is valid, and mostly long strings: it
// passes over them at once, where json.Indent looks at each byte.
func indentJSON(out, b []byte) []byte {
	out = slices.Grow(out, len(b)+len(b)/2)
	newline := bytes.Repeat([]byte(indentStep), 64)
	depth, empty := 0, false // empty: nothing stands in what was opened last
	breakLine := func() {
		out = append(out, '\n')
		for n := depth * len(indentStep); n > 0; n -= len(newline) {
			out = append(out, newline[:min(n, len(newline))]...)
		}
	}
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == ' ' {
			continue
		}
		closing := c == '}' || c == ']'
		if closing {
			depth--
		}
		if empty != closing {
			breakLine()
		}
		empty = c == '{' || c == '['
		switch {
		case empty:
			depth++
			out = append(out, c)
		case c == ',':
			out = append(out, c)
			breakLine()
		case c == ':':
			out = append(out, c, ' ')
		case c == '"':
			end := i + endOfString(b[i:])
			out = append(out, b[i:end]...)
			i = end - 1
		default:
			out = append(out, c)
		}
	}
	return out
}

// endOfString returns the length of the JSON string that b begins with.
func endOfString(b []byte) int {
	end := 1
	for {
		end += bytes.IndexByte(b[end:], '"') + 1
		escapes := 0
		for b[end-2-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return end
		}
	}
}
