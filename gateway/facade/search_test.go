// SPDX-License-Identifier: Apache-2.0

package facade

import (
	"crypto/sha256"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekorjson"
)

// FuzzSearch: what is read as a digest is one, in one spelling, and what is read as a key is the same without what stands around it.
func FuzzSearch(f *testing.F) {
	f.Add("sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", "x509", []byte("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"))
	f.Add("2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", "x509", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, hash, format string, content []byte) {
		if d, ok := parseHash(hash); ok {
			again, err := formats.ParseDigest(d.String())
			if err != nil || !again.Equal(d) {
				t.Errorf("%q is read as %v", hash, d)
			}
		}
		sum, ok := parseKey(rekorjson.SearchPublicKey{Format: format, Content: content})
		if ok && (format != "x509" || sum == [sha256.Size]byte{}) || !ok && sum != [sha256.Size]byte{} {
			t.Errorf("a key of format %q is read as %x, %t", format, sum, ok)
		}
	})
}
