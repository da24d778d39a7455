// SPDX-License-Identifier: Apache-2.0

package formatstest

import (
	"bytes"
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// registered is a format behind a registry, as every program has it: private keys are refused first, and what
// stands around the files is taken off.
type registered struct{ formats.Format }

// Parse implements formats.Format.
func (r registered) Parse(ctx context.Context, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
	return formats.NewRegistry(r.Format).Parse(ctx, r.Name(), signature, keys, p)
}

// wrapping is what editors, shells, mail and build tools do to a file.
type wrapping struct {
	name string
	text bool // done to texts alone
	wrap func([]byte) []byte
}

var wrappings = []wrapping{
	{"byte order mark", true, func(b []byte) []byte { return append([]byte("\xef\xbb\xbf"), b...) }},
	{"blank lines around it", true, func(b []byte) []byte { return slices.Concat([]byte("\n \t\r\n"), b, []byte("\n \t\r\n\n ")) }},
	{"no line end at the end", true, func(b []byte) []byte { return bytes.TrimRight(b, "\r\n") }},
	{"CRLF", true, func(b []byte) []byte {
		return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
	}},
	{"base64", false, func(b []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(b)) }},
	{"base64 in lines", false, func(b []byte) []byte {
		var lines []string
		for piece := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(b)), 76) {
			lines = append(lines, string(piece))
		}
		return []byte("\n" + strings.Join(lines, "\r\n") + "\r\n")
	}},
	{"base64url", false, func(b []byte) []byte { return []byte(base64.RawURLEncoding.EncodeToString(b) + "\n") }},
}

// checkWrapped: what stands around a signature or a key makes no other submission of it. UTF-16 is refused by that name.
func checkWrapped(t testing.TB, s Suite, v Vector) {
	s.Format = registered{s.Format}
	first := mustSubmit(t, s, v)
	for _, w := range wrappings {
		changed := v
		if changed.Signature = w.apply(v.Signature); !v.ExactLines || w.keepsLines() {
			expectSame(t, s, changed, first, w.name+", signature")
		}
		for i := range v.Keys {
			changed = v
			changed.Keys = slices.Clone(v.Keys)
			changed.Keys[i] = w.apply(v.Keys[i])
			if len(v.Policy.TUFRoots) == 0 { // pinned byte for byte
				expectSame(t, s, changed, first, w.name+", key")
			}
		}
	}
	if isTextFile(v.Signature) {
		changed := v
		changed.Signature = encodeUTF16(v.Signature)
		if _, err := parseVector(t, s, changed); err == nil || !strings.Contains(err.Error(), "UTF-16") {
			t.Errorf("in UTF-16: %v", err)
		}
	}
}

// keepsLines reports whether no line end inside and none at the end is touched.
func (w wrapping) keepsLines() bool { return !w.text || w.name == "byte order mark" }

func (w wrapping) apply(b []byte) []byte {
	if w.text && !isTextFile(b) {
		return b
	}
	return w.wrap(b)
}

func isTextFile(b []byte) bool { return utf8.Valid(b) && !bytes.ContainsAny(b, "\x00\x01\x02\x03\x04") }

func expectSame(t testing.TB, s Suite, v Vector, first *formats.Verified, what string) {
	t.Helper()
	got, err := submitVector(t, s, v, bytes.NewReader(v.Artifact))
	switch {
	case err != nil:
		t.Errorf("%s: %v", what, err)
	case !bytes.Equal(got.Canonical, first.Canonical):
		t.Errorf("%s: another submission", what)
	}
}

func encodeUTF16(b []byte) []byte {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(string(b))) {
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}
