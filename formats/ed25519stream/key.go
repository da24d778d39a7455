// SPDX-License-Identifier: Apache-2.0

package ed25519stream

import (
	"bytes"
	"crypto/ed25519"

	"filippo.io/edwards25519"
)

// CheckKey is for callers to whom a key is an identity. Beyond what [New] asks, it refuses
// two kinds of keys, with ErrKey, as libsodium does: an encoding that is not canonical, a
// second name for a key; and a point of small order, by which anybody can make signatures.
func CheckKey(pub ed25519.PublicKey) error {
	a, err := new(edwards25519.Point).SetBytes(pub)
	if err != nil || !bytes.Equal(a.Bytes(), pub) {
		return ErrKey
	}
	if a.MultByCofactor(a).Equal(edwards25519.NewIdentityPoint()) == 1 {
		return ErrKey
	}
	return nil
}
