// SPDX-License-Identifier: Apache-2.0

package run

import (
	"bytes"
	"os"
	"testing"
)

func TestIsTorn(t *testing.T) {
	whole := must(os.ReadFile(offline("x509.receipt.json")))
	for name, c := range map[string]struct {
		raw  []byte
		torn bool
	}{
		"empty": {nil, true}, "zeros": {make([]byte, 100), true}, "cut": {whole[:len(whole)/2], true}, "cut and zeros": {append(bytes.Clone(whole[:9]), 0, 0), true},
		"whole": {whole, false}, "text": {[]byte("hello"), false}, "JSON": {[]byte("{}"), false},
	} {
		if isTorn(c.raw) != c.torn {
			t.Errorf("%s: %v", name, !c.torn)
		}
	}
}
