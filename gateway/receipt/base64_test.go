// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"encoding/base64"
	"testing"
)

// FuzzDecodeBase64: of all that the library reads, what it would write itself is accepted, and nothing else.
func FuzzDecodeBase64(f *testing.F) {
	for _, text := range []string{
		"", "AAAA", "AAA=", "AA==", "AAB=", "AB==", "AA=", "AA", "A===", "====", "AAAA\n", "\nAAAA", "AA\r\nAA", "AA=\n=", "AA==\n", "AAAA====", "AA==AA==", "-_-_", "AAAA AAAA", "A\x00AA",
		base64.StdEncoding.EncodeToString(make([]byte, 32)), base64.StdEncoding.EncodeToString(make([]byte, 31)) + "\n\n\n\n", base64.StdEncoding.EncodeToString(make([]byte, 33)),
		base64.RawStdEncoding.EncodeToString(make([]byte, 32)) + "\n", base64.RawStdEncoding.EncodeToString(make([]byte, 32)) + "B",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		want, err := base64.StdEncoding.DecodeString(string(text))
		canonical := err == nil && base64.StdEncoding.EncodeToString(want) == string(text)
		got, err := decodeBase64(text)
		if (err == nil) != canonical || canonical && !bytes.Equal(got, want) {
			t.Errorf("%q: %x, %v; the library reads %x", text, got, err, want)
		}
		h, err := parseHash(text)
		if (err == nil) != (canonical && len(want) == len(h)) || err == nil && !bytes.Equal(h[:], want) {
			t.Errorf("%q as a hash: %x, %v", text, h, err)
		}
	})
}
