// SPDX-License-Identifier: Apache-2.0

package formats

import (
	"crypto"
	"crypto/x509"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
)

// What is remembered of keys: those used last, and none that is larger, in bytes. Together they take no more than a MiB.
const (
	rememberedKeys = 256
	rememberedSize = 1 << 10
)

var parsedKeys, _ = lru.New[string, *parsedKey](rememberedKeys) // fails for sizes below one

// parsedKey is a key as it was encoded.
type parsedKey struct {
	public crypto.PublicKey
	encode func() ([]byte, error) // x509.MarshalPKIXPublicKey, once
}

// ParseSPKI is x509.ParsePKIXPublicKey. It remembers the keys used last: one submission asks for its signer's a dozen
// times, and the next one's signer is often the same. The key it returns is shared and must not be changed.
func ParseSPKI(spki []byte) (crypto.PublicKey, error) {
	key, err := parseKey(spki)
	if err != nil {
		return nil, err
	}
	return key.public, nil
}

// EncodeSPKI returns the one form in which x509.MarshalPKIXPublicKey writes the key in spki, which may be in another. It remembers
// what ParseSPKI does. What it returns is shared and must not be changed. Errors are those of the two functions of crypto/x509.
func EncodeSPKI(spki []byte) ([]byte, error) {
	key, err := parseKey(spki)
	if err != nil {
		return nil, err
	}
	return key.encode()
}

func parseKey(spki []byte) (*parsedKey, error) {
	if key, ok := parsedKeys.Get(string(spki)); ok {
		return key, nil
	}
	public, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, err
	}
	key := &parsedKey{public, sync.OnceValues(func() ([]byte, error) { return x509.MarshalPKIXPublicKey(public) })}
	if len(spki) <= rememberedSize {
		parsedKeys.Add(string(spki), key)
	}
	return key, nil
}
