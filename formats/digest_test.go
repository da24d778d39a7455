// SPDX-License-Identifier: Apache-2.0

package formats_test

import (
	"crypto"
	"errors"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

var digestSizes = map[formats.DigestAlgorithm]int{
	formats.SHA256: 32, formats.SHA384: 48, formats.SHA512: 64, formats.BLAKE2b512: 64,
}

func TestParseDigest(t *testing.T) {
	for a, size := range digestSizes {
		for _, digits := range []string{"00", "fF", "aB"} {
			text := string(a) + ":" + strings.Repeat(digits, size)
			d, err := formats.ParseDigest(text)
			if err != nil || d.Algorithm != a || len(d.Value) != size || d.String() != strings.ToLower(text) {
				t.Errorf("%s: %v, %v", text, d, err)
			}
		}
	}
}

func TestParseDigestRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"empty":              "",
		"no algorithm":       strings.Repeat("00", 32),
		"no value":           "sha256:",
		"no name":            ":" + strings.Repeat("00", 32),
		"weak":               "sha1:" + strings.Repeat("00", 20),
		"unknown":            "md5:" + strings.Repeat("00", 16),
		"upper-case name":    "SHA256:" + strings.Repeat("00", 32),
		"another separator":  "sha256-" + strings.Repeat("00", 32),
		"another's length":   "sha384:" + strings.Repeat("00", 32),
		"a digit short":      "sha256:" + strings.Repeat("0", 63),
		"a digit more":       "sha256:" + strings.Repeat("0", 65),
		"a byte short":       "sha256:" + strings.Repeat("00", 31),
		"no digits":          "sha256:" + strings.Repeat("zz", 32),
		"a space before":     " sha256:" + strings.Repeat("00", 32),
		"a line end after":   "sha256:" + strings.Repeat("00", 32) + "\n",
		"a prefix to digits": "sha256:0x" + strings.Repeat("00", 31),
		"a file name after":  "sha256:" + strings.Repeat("00", 32) + "  file",
		"base64":             "sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
	} {
		d, err := formats.ParseDigest(text)
		if formats.ReasonOf(err) != formats.ReasonMalformedDigest || d.Value != nil || d.Algorithm != "" {
			t.Errorf("%s: %v, %v", name, d, err)
		}
	}
}

// FuzzParseDigest: a digest of its algorithm's length, or a refusal; the digest's text leads
// back to it and is the input but for case.
func FuzzParseDigest(f *testing.F) {
	for a, size := range digestSizes {
		f.Add(string(a) + ":" + strings.Repeat("5a", size))
	}
	f.Add("sha256:")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := formats.ParseDigest(text)
		if err != nil {
			var e *formats.Error
			if !errors.As(err, &e) || e.Reason != formats.ReasonMalformedDigest || d.Value != nil {
				t.Fatalf("%v beside %v", d, err)
			}
			return
		}
		if len(d.Value) != digestSizes[d.Algorithm] || d.String() != strings.ToLower(text) {
			t.Errorf("%q was read as %s", text, d)
		}
		if again, err := formats.ParseDigest(d.String()); err != nil || !again.Equal(d) {
			t.Errorf("%s was read as %s, %v", d, again, err)
		}
	})
}

func TestDigestEqual(t *testing.T) {
	zeros := make([]byte, 64)
	a := formats.Digest{Algorithm: formats.SHA512, Value: zeros}
	for name, o := range map[string]formats.Digest{
		"another algorithm": {Algorithm: formats.BLAKE2b512, Value: zeros},
		"shorter":           {Algorithm: formats.SHA512, Value: zeros[1:]},
		"another value":     {Algorithm: formats.SHA512, Value: append([]byte{1}, zeros[1:]...)},
		"nothing":           {},
	} {
		if a.Equal(o) || o.Equal(a) {
			t.Errorf("%s is equal", name)
		}
	}
	if !a.Equal(formats.Digest{Algorithm: formats.SHA512, Value: make([]byte, 64)}) {
		t.Error("not equal to a copy")
	}
}

func TestAlgorithmOf(t *testing.T) {
	for a := range digestSizes {
		if got, ok := formats.AlgorithmOf(a.Hash()); !ok || got != a || a.New().Size() != digestSizes[a] {
			t.Errorf("%s: %s", a, got)
		}
	}
	for _, h := range []crypto.Hash{0, crypto.SHA1, crypto.MD5, crypto.SHA512_256} {
		if got, ok := formats.AlgorithmOf(h); ok || got != "" {
			t.Errorf("%d is %s", h, got)
		}
	}
}
