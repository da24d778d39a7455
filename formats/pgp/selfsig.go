// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"cmp"
	"crypto"
	"slices"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// maxChecks bounds the signatures inside keys that are verified per submission. Newest come
// first, so an honest key needs a handful.
const maxChecks = 128

// clock is the times that matter: when the document was signed, as its signer claims, by when it is
// known to have been (zero: not known), and now; with what is left of the budget of checks and the meter of all work.
type clock struct {
	signed, knownBy, now time.Time
	checks               int
	meter                *formats.Meter
	files                *keyFiles // where designated revokers are looked for
}

// spendCheck charges for a check of a signature inside a key, before it is verified with by.
func (c *clock) spendCheck(by crypto.PublicKey) error {
	if err := c.meter.ChargeChecks(1, by); err != nil {
		return err
	}
	if c.checks--; c.checks < 0 {
		return formats.NewError(formats.ReasonTooLarge, "the key carries too many signatures of its own",
			"send a minimal key: gpg --armor --export-options export-minimal --export KEYID")
	}
	return nil
}

// inForce reports whether sig had been made by now and had not expired when the document was signed.
func (c *clock) inForce(sig *packet.Signature) bool {
	if sig.CreationTime.After(c.now.Add(formats.ClockSkew)) {
		return false
	}
	return sig.SigLifetimeSecs == nil || *sig.SigLifetimeSecs == 0 ||
		c.signed.Before(sig.CreationTime.Add(time.Duration(*sig.SigLifetimeSecs)*time.Second))
}

// findNewest returns the newest candidate that verify accepts, or nil. It speaks for all times, as
// in gpg: a key whose expiry was extended often carries no older signature of its own.
func (c *clock) findNewest(list []candidate, by crypto.PublicKey, verify func(candidate) (bool, error)) (*candidate, error) {
	sortNewest(list)
	for _, s := range list {
		if err := c.spendCheck(by); err != nil {
			return nil, err
		}
		ok, err := verify(s)
		if err != nil {
			return nil, err
		}
		if ok {
			return &s, nil
		}
	}
	return nil, nil
}

func sortNewest(list []candidate) {
	slices.SortStableFunc(list, func(a, b candidate) int {
		return cmp.Compare(b.CreationTime.Unix(), a.CreationTime.Unix())
	})
}

// checkRevocations refuses a key that was revoked: always, unless the reason says that it was
// merely superseded or retired, and only after the signature is known to have existed. Revocations
// of that kind are returned, to be kept.
func (c *clock) checkRevocations(bodies [][]byte, kind packet.SignatureType, primary *packet.PublicKey, by crypto.PublicKey,
	verify func(*packet.Signature) error) (later [][]byte, err error) {
	readings, err := c.readAll(bodies, primary, kind)
	if err != nil {
		return nil, err
	}
	for _, r := range readings {
		s := r.self
		if s == nil {
			if unreadableRevocation(r.body, primary) {
				return nil, errUncheckedRevocation()
			}
			continue
		}
		if err := c.spendCheck(by); err != nil {
			return nil, err
		}
		if verify(s.Signature) != nil {
			continue
		}
		body, err := c.judgeRevocation(s, errRevoked("the key has been revoked"))
		if err != nil {
			return nil, err
		}
		later = append(later, body)
	}
	return later, nil
}

// judgeRevocation is the one rule for revocations that stand, of primary keys and subkeys, by whomever they are. It
// returns the revocation when it is known to have come later than the document's signature, and hard if its reason makes
// no difference between before and after.
func (c *clock) judgeRevocation(s *selfSignature, hard error) (later []byte, err error) {
	if !isSoftReason(s.RevocationReason) {
		return nil, hard
	}
	if c.knownBy.IsZero() || !c.knownBy.Before(s.CreationTime) {
		return nil, errRevoked("the key has been replaced or retired, and nothing verified says that the signature is older")
	}
	return s.body, nil
}

func isSoftReason(reason *packet.ReasonForRevocation) bool {
	return reason != nil && (*reason == packet.KeySuperseded || *reason == packet.KeyRetired)
}

func errRevoked(message string) error {
	return formats.NewError(formats.ReasonKeyRevoked, message, "sign with a key that is not revoked")
}

func errUncheckedRevocation() error {
	return errRevoked("the key carries a revocation that cannot be checked")
}

// unreadableRevocation reports a revocation by primary itself in a version or with a hash that
// the library does not read. Nobody can show that it is void, so it counts.
func unreadableRevocation(body []byte, primary *packet.PublicKey) bool {
	if len(body) >= v3FixedLen && body[0] == 3 {
		return decodeUint64(body[7:15]) == primary.KeyId
	}
	l, ok := splitSignature(body)
	if !ok {
		return false
	}
	if _, err := readPacket(tagSignature, l.withUnhashed(nil)); err == nil {
		return false // readable, and somebody else's
	}
	return namesKey(l.hashed, primary) || namesKey(l.unhashed, primary)
}

func namesKey(area []byte, key *packet.PublicKey) bool {
	for {
		kind, content, _, rest, ok := nextSubpacket(area)
		if !ok {
			return false
		}
		switch {
		case kind == subpacketIssuer && len(content) == 8 && decodeUint64(content) == key.KeyId:
			return true
		case kind == subpacketIssuerFingerprint && len(content) > 1 && string(content[1:]) == string(key.Fingerprint):
			return true
		}
		area = rest
	}
}

// usesSHA1 marks what an auditor should know of. It is no ground to refuse: to forge a key's
// own signature takes a second preimage, and the keys of most old releases have no other.
func usesSHA1(sig *packet.Signature) bool { return sig.Hash == crypto.SHA1 }
