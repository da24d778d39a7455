// SPDX-License-Identifier: Apache-2.0

package pkcs7

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func meter(t testing.TB) *formats.Meter {
	m, err := formats.StartWork(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestToDER(t *testing.T) {
	deep := strings.Repeat("30 80 ", maxDepth+1) + strings.Repeat("00 00 ", maxDepth+1)
	for name, c := range map[string]struct{ in, want, rest string }{
		"DER":                        {"30 03 02 01 05", "30 03 02 01 05", ""},
		"DER, then more":             {"30 00 ff", "30 00", "ff"},
		"indefinite":                 {"30 80 02 01 05 00 00", "30 03 02 01 05", ""},
		"indefinite, then more":      {"30 80 00 00 00", "30 00", "00"},
		"nested":                     {"30 80 a0 80 31 80 00 00 00 00 00 00", "30 04 a0 02 31 00", ""},
		"indefinite inside definite": {"30 04 a0 80 00 00", "30 02 a0 00", ""},
		"octets in pieces":           {"24 80 04 01 61 04 02 62 63 00 00", "04 03 61 62 63", ""},
		"octets in pieces, definite": {"24 06 04 01 61 04 01 62", "04 02 61 62", ""},
		"octets in pieces of pieces": {"24 80 24 80 04 01 61 00 00 00 00", "04 01 61", ""},
		"empty octets":               {"24 80 00 00", "04 00", ""},
		"no end":                     {"30 80 02 01 05", "", ""},
		"half an end":                {"30 80 00", "", ""},
		"past the end":               {"30 05 02 01 05", "", ""},
		"child past its parent":      {"30 02 02 01 05", "", ""},
		"length not minimal":         {"30 81 03 02 01 05", "", ""},
		"primitive, indefinite":      {"04 80 00 00", "", ""},
		"octets hold another kind":   {"24 80 02 01 05 00 00", "", ""},
		"bits in pieces":             {"23 80 03 01 00 00 00", "", ""},
		"high tag number":            {"3f 01 00", "", ""},
		"nothing":                    {"", "", ""},
		"too deep":                   {deep, "", ""},
	} {
		der, rest, ok, _ := toDER(meter(t), unhex(t, c.in))
		if ok != (c.want != "") || !bytes.Equal(der, unhex(t, c.want)) || !bytes.Equal(rest, unhex(t, c.rest)) {
			t.Errorf("%s: %x, then %x, %v", name, der, rest, ok)
		}
	}
}

// FuzzToDER: no panic; the result is a fixed point, no longer than the input by more than its lengths,
// and input that needs no conversion comes out as it is.
func FuzzToDER(f *testing.F) {
	for _, name := range []string{"rsa2048-stream.ber", "rsa2048.der"} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(unhex(f, "24 80 24 80 04 01 61 00 00 00 00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		der, rest, ok, _ := toDER(meter(t), in)
		if !ok {
			if der != nil || rest != nil {
				t.Error("a value beside a refusal")
			}
			return
		}
		again, rest, ok, _ := toDER(meter(t), der)
		if !ok || len(rest) > 0 || !bytes.Equal(again, der) {
			t.Error("not a fixed point")
		}
		if len(der) > 2*len(in) {
			t.Errorf("%d bytes became %d", len(in), len(der))
		}
	})
}
