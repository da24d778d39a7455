// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// signer is a key whose signature over a document verified.
type signer struct {
	keyID string
	key   *publicKey
	sig   []byte
}

// quorum is a role whose threshold a document reached, and the distinct keys that reached it.
type quorum struct {
	role    *role
	signers []signer
	notes   []string
}

// count is what the signatures of a document amount to for one role.
type count struct {
	quorum
	elsewhere   int // by keys of the authority that the role does not name
	unsupported int // by keys of the role that cannot be checked
}

// verifyRole checks every signature of d that a key of r made. Keys are told apart by their
// SPKI: a key under two ids counts once. A signature of an authorised key that does not verify
// is refused even when the others reach the threshold: the file is not what was signed.
func verifyRole(d *document, a *authority, r *role) (*quorum, error) {
	if !slices.ContainsFunc(d.signatures, func(s signature) bool { return len(s.value) > 0 }) {
		return nil, formats.NewError(formats.ReasonNoSignature, "the metadata is not signed", "send the signed file")
	}
	c := count{quorum: quorum{role: r}}
	signatures := slices.Clone(d.signatures)
	slices.SortFunc(signatures, func(x, y signature) int { return strings.Compare(x.keyID, y.keyID) })
	for _, s := range signatures {
		if err := c.add(d, a, s); err != nil {
			return nil, err
		}
	}
	if len(c.signers) < r.threshold {
		return nil, c.refusal()
	}
	return &c.quorum, nil
}

func (c *count) add(d *document, a *authority, s signature) error {
	k := a.keys[s.keyID]
	switch {
	case k == nil:
		return nil
	case len(s.value) == 0:
		c.note("a key of the role has a place among the signatures and has not signed")
		return nil
	case !slices.Contains(c.role.keyIDs, s.keyID):
		c.elsewhere++
		return nil
	}
	pub, err := k.load()
	if errors.Is(err, errUnsupportedKey) {
		c.unsupported++
		c.note("a signature by a kind of key that is not implemented was not counted")
		return nil
	}
	if err != nil {
		return err
	}
	if !pub.verify(d.payload, s.value) {
		return formats.NewError(formats.ReasonSignatureInvalid,
			fmt.Sprintf("the signature of key %s does not verify", k.shortID()),
			"send the metadata unchanged, with the root that was current when it was signed")
	}
	c.accept(k, pub, s)
	return nil
}

func (c *count) accept(k *key, pub *publicKey, s signature) {
	if !k.wellNamed() {
		c.note("a key id is not the hash of its key; keys were told apart by their SPKI")
	}
	if slices.ContainsFunc(c.signers, func(o signer) bool { return bytes.Equal(o.key.spki, pub.spki) }) {
		c.note("a key that is listed under two key ids was counted once")
		return
	}
	c.signers = append(c.signers, signer{keyID: s.keyID, key: pub, sig: s.value})
}

func (c *count) note(n string) {
	if !slices.Contains(c.notes, n) {
		c.notes = append(c.notes, n)
	}
}

// refusal says why the threshold was not reached.
func (c *count) refusal() error {
	switch {
	case c.unsupported > 0:
		return formats.NewError(formats.ReasonUnsupportedAlgorithm,
			fmt.Sprintf("the role %.40q is signed with keys of a kind that is not implemented", c.role.name),
			"sign with ECDSA, Ed25519 or RSA keys too")
	case len(c.signers) == 0 && c.elsewhere > 0:
		return formats.NewError(formats.ReasonNotAuthorized,
			fmt.Sprintf("the keys that signed may not sign for the role %.40q", c.role.name), hintDelegation(c.role))
	case len(c.signers) == 0:
		return formats.NewError(formats.ReasonKeyMismatch,
			fmt.Sprintf("no key of the role %.40q signed this metadata", c.role.name), hintDelegation(c.role))
	}
	return formats.NewError(formats.ReasonThresholdNotMet,
		fmt.Sprintf("%d of %d required keys of the role %.40q signed", len(c.signers), c.role.threshold, c.role.name),
		"collect the missing signatures; a key counts once, whatever ids it has")
}

func hintDelegation(r *role) string {
	if r.name == roleTargets {
		return "send the root that was current when it was signed; for a delegated role, send the targets metadata that delegates to it as a key too"
	}
	return "send the root that was current when it was signed"
}
