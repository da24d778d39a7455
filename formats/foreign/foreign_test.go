// SPDX-License-Identifier: Apache-2.0

package foreign_test

import (
	"bytes"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/foreign"
)

// attributes is a SET OF one messageDigest attribute, without its outer tag and length.
const attributes = "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04\x31\x00"

func sniff(artifact string, piece int) error {
	var s foreign.Sniffer
	_, _ = s.Write(nil)
	for len(artifact) > 0 {
		n := min(piece, len(artifact))
		_, _ = s.Write([]byte(artifact[:n]))
		artifact = artifact[n:]
	}
	return s.Err()
}

func TestSniffer(t *testing.T) {
	long := "\x30\x82\x01\x00\x06\x01\x2a" + string(make([]byte, 253))
	for name, c := range map[string]struct {
		artifact string
		want     bool
	}{
		"empty": {"", false}, "one byte of it": {"S", false}, "text": {"SSH keys", false},
		"SSHSIG": {"SSHSIG\x00\x00\x00\x04file", true},
		"SET":    {"\x31\x0f" + attributes, true}, "SET with a long length": {"\x31\x82\x00\x0f" + attributes, true},
		"SET of endless length": {"\x31\x80" + attributes, true}, "second attribute": {"\x31\x82\x01\x13" + long + attributes, true},
		"SET of another kind": {"\x31\x03\x02\x01\x01", false}, "a text that starts with 1": {"1.0", false},
		"length past the end": {"\x31\xff", false}, "SEQUENCE": {"\x30\x0f" + attributes, false},
	} {
		for _, piece := range []int{1, 7, 4096} {
			err := sniff(c.artifact, piece)
			if got := formats.ReasonOf(err) == formats.ReasonProtocolConfusion; got != c.want || got != (err != nil) {
				t.Errorf("%s in pieces of %d: %v", name, piece, err)
			}
		}
	}
}

// FuzzSniffer: no panic, and the verdict does not depend on how the bytes come.
func FuzzSniffer(f *testing.F) {
	f.Add([]byte("\x31\x0f"+attributes), 3)
	f.Add([]byte("SSHSIG"), 2)
	f.Fuzz(func(t *testing.T, b []byte, piece int) {
		whole := sniff(string(b), len(b)+1)
		if piece = max(piece, 1); (sniff(string(b), piece) == nil) != (whole == nil) {
			t.Error("the verdict depends on the pieces")
		}
		if set := foreign.IsAttributes(b); set && len(b) < 64<<10 && whole == nil || bytes.HasPrefix(b, []byte("SSHSIG")) && whole == nil {
			t.Error("missed")
		}
	})
}
