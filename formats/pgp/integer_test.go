// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"golang.org/x/crypto/cryptobyte"
)

// A padded integer in a version 6 signature is refused (RFC 9580, section 3.2); in a version 4
// one it is the same signature.
func TestPaddedIntegers(t *testing.T) {
	for name, c := range map[string]struct {
		values  string
		version int
		ok      bool
	}{
		"version 4":                   {"\x00\x08\x80", 4, true},
		"version 4, padded":           {"\x00\x10\x00\x80", 4, true},
		"version 6":                   {"\x00\x08\x80", 6, true},
		"version 6, zero octet":       {"\x00\x10\x00\x80", 6, false},
		"version 6, too many bits":    {"\x00\x08\x40", 6, false},
		"version 6, too few bits":     {"\x00\x07\x80", 6, false},
		"version 6, nothing":          {"\x00\x00", 6, false},
		"version 6, bytes after":      {"\x00\x08\x80\x00", 6, false},
		"version 6, less than stated": {"\x00\x10\x80", 6, false},
	} {
		if _, ok := readValues(cryptobyte.String(c.values), packet.PubKeyAlgoRSA, c.version); ok != c.ok {
			t.Errorf("%s: %v", name, ok)
		}
	}
}
