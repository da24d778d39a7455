// SPDX-License-Identifier: Apache-2.0

package ed25519stream

import (
	"bytes"
	"crypto/ed25519"
	"errors"

	"filippo.io/edwards25519"
)

// ErrSmallOrder is CheckKey's answer for a point by which anybody can make signatures.
var ErrSmallOrder = errors.New("an Ed25519 public key of small order")

// CheckKey is for callers to whom a key is an identity. Beyond what [New] asks, it refuses
// what libsodium does: with ErrKey an encoding that is not canonical, a second name for a
// key; and with ErrSmallOrder a point of small order.
func CheckKey(pub ed25519.PublicKey) error {
	a, err := new(edwards25519.Point).SetBytes(pub)
	if err != nil {
		return ErrKey
	}
	if new(edwards25519.Point).MultByCofactor(a).Equal(edwards25519.NewIdentityPoint()) == 1 {
		return ErrSmallOrder
	}
	if !bytes.Equal(a.Bytes(), pub) {
		return ErrKey
	}
	return nil
}
