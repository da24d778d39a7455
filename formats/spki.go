// SPDX-License-Identifier: Apache-2.0

package formats

import (
	"crypto"
	"crypto/x509"

	lru "github.com/hashicorp/golang-lru/v2"
)

// What ParseSPKI remembers: the keys used last, and none that is larger, in bytes. Together they take no more than a MiB.
const (
	rememberedKeys = 256
	rememberedSize = 1 << 10
)

var parsedKeys, _ = lru.New[string, crypto.PublicKey](rememberedKeys) // fails for sizes below one

// ParseSPKI is x509.ParsePKIXPublicKey. It remembers the keys used last: one submission asks for its signer's a dozen
// times, and the next one's signer is often the same. The key it returns is shared and must not be changed.
func ParseSPKI(spki []byte) (crypto.PublicKey, error) {
	if key, ok := parsedKeys.Get(string(spki)); ok {
		return key, nil
	}
	key, err := x509.ParsePKIXPublicKey(spki)
	if err == nil && len(spki) <= rememberedSize {
		parsedKeys.Add(string(spki), key)
	}
	return key, err
}
