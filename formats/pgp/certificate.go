// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"bytes"
	"crypto"
	"encoding/binary"
	"errors"
	"math/big"
	"slices"
	"strings"
	"time"

	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/keyfile"
)

func decodeUint64(b []byte) uint64 { return binary.BigEndian.Uint64(b) }

// keyUse is a key that was found fit to have made the signature.
type keyUse struct {
	key      *packet.PublicKey
	read     *packet.PublicKey // which public was read from; nil: from none yet
	public   publicKey
	minimal  []byte // the packets that show it again
	findings []formats.Finding
	notes    []string
	checks   []string
}

// evaluation judges one certificate for one signature.
type evaluation struct {
	clock      *clock
	policy     formats.Policy
	cert       *certificate
	primary    *packet.PublicKey
	key        crypto.PublicKey // primary, to check with
	use        *keyUse
	sha1       bool
	designated designations // nil before they are asked for
	kept       kept
	revoked    map[*user]*revocations // as far as asked for
}

// properties are what self-signatures say of a key: whether it may sign and for how long it is valid.
type properties struct {
	flags    *packet.Signature // the one with key flags, nil when there is none
	lifetime *uint32
}

// evaluateKey finds the key that from names in cert and checks all that binds it: the primary
// key's self-signature, expiry and revocations and, for a subkey, its binding with the
// back-signature, its own expiry and revocations.
func (cert *certificate) evaluateKey(from issuer, t *clock, policy formats.Policy) (*keyUse, error) {
	primary, err := t.readKey(tagPublicKey, cert.primary)
	if err != nil {
		return nil, err
	}
	e := &evaluation{clock: t, policy: policy, cert: cert, primary: primary, use: &keyUse{key: primary},
		revoked: map[*user]*revocations{}}
	if e.key, err = e.checkAlgorithm(primary); err != nil {
		return nil, err
	}
	// The binding comes first: the revocation of a key that has no claim to the subkey says nothing.
	var sub *boundSubkey
	if !from.matchesKey(cert.primary) {
		if sub, err = e.bindSubkey(from); err != nil {
			return nil, err
		}
	}
	props, err := e.checkPrimary()
	if err != nil {
		return nil, err
	}
	if sub == nil {
		err = e.checkPrimaryFlags(props)
	} else {
		err = e.checkSubkey(sub)
	}
	if err != nil {
		return nil, err
	}
	e.use.minimal = slices.Concat(appendPacket(nil, tagPublicKey, cert.primary), e.kept.direct, e.kept.users, e.kept.subkey)
	if e.sha1 {
		e.use.notes = append(e.use.notes, "the key's own signatures use SHA-1")
	}
	return e.use, nil
}

func (c *clock) readKey(tag byte, body []byte) (*packet.PublicKey, error) {
	if err := c.meter.ChargeParses(2); err != nil { // a point of a curve is checked, too
		return nil, err
	}
	p, err := readPacket(tag, body)
	if err != nil {
		return nil, errUnreadKey(err)
	}
	k, ok := p.(*packet.PublicKey)
	if !ok {
		return nil, errMalformedKey("the signer's key cannot be read")
	}
	return k, nil
}

// errUnreadKey tells a key that the library does not verify with from one that is damaged.
func errUnreadKey(err error) error {
	var unsupported pgperrors.UnsupportedError
	switch {
	case errors.As(err, &unsupported) && strings.Contains(string(unsupported), "exponent"):
		return keyfile.CheckExponent(big.NewInt(1<<maxExponentBits), maxExponentBits)
	case errors.As(err, &unsupported):
		return formats.WrapError(err, formats.ReasonUnsupportedAlgorithm, "the signer's key is of a kind or on a curve that is not supported",
			"sign with an RSA, NIST P-256, P-384, P-521 or Ed25519 key")
	}
	return formats.WrapError(err, formats.ReasonMalformedKey, "the signer's key cannot be read", "export it again with: gpg --armor --export KEYID")
}

// maxExponentBits is what the library takes of an RSA exponent.
const maxExponentBits = 24

func (e *evaluation) checkPrimary() (properties, error) {
	later, err := e.clock.checkRevocations(e.cert.direct, packet.SigTypeKeyRevocation, e.primary, e.key, e.primary.VerifyRevocationSignature)
	if err != nil {
		return properties{}, err
	}
	byOthers, err := e.checkDesignated(e.cert.direct, packet.SigTypeKeyRevocation, e.primary)
	if err != nil {
		return properties{}, err
	}
	e.kept.direct = e.keepRevocations(e.kept.direct, append(later, byOthers...))
	props, err := e.primaryProperties()
	if err != nil {
		return properties{}, err
	}
	e.use.checks = append(e.use.checks, "key-self-signature", "key-revocation", "key-expiry", "key-flags")
	return props, e.checkTimes(e.primary, props.lifetime)
}

// checkAlgorithm holds primary keys to what signing keys are held to: a subkey is worth no
// more than the key that binds it. It returns the key to check with.
func (e *evaluation) checkAlgorithm(k *packet.PublicKey) (crypto.PublicKey, error) {
	pub, err := readPublicKey(k)
	if err == nil {
		e.use.read, e.use.public = k, pub
	}
	if err != nil || !pub.weak {
		return pub.key, err
	}
	const message = "the key is DSA"
	if !e.policy.Allows(formats.ExceptionDSA) {
		return nil, errWeak(message, "sign with an RSA or ECDSA key"+formats.HintHistorical)
	}
	e.use.findings = append(e.use.findings, formats.Finding{Reason: formats.ReasonWeakAlgorithm, Message: message, Exception: formats.ExceptionDSA})
	return pub.key, nil
}

// kept is what of a certificate shows the key again: packets, by what they stand behind.
type kept struct{ direct, users, subkey []byte }

// keepDesignation keeps what makes somebody's revocation count.
func (k *kept) keepDesignation(d *designation) {
	if d.kept {
		return
	}
	d.kept = true
	l, _ := splitSignature(d.body) // it has been read
	body := l.withUnhashed(keepSubpackets(l.unhashed, subpacketIssuer, subpacketIssuerFingerprint))
	if d.user == nil {
		k.direct = appendPacket(k.direct, tagSignature, body)
		return
	}
	k.users = appendPacket(k.users, tagUserID, d.user.id)
	k.users = appendPacket(k.users, tagSignature, body)
}

func (e *evaluation) keepRevocations(packets []byte, later [][]byte) []byte {
	for _, body := range later {
		packets = appendPacket(packets, tagSignature, body)
	}
	if len(later) > 0 {
		e.use.notes = append(e.use.notes, "the key has been replaced or retired since")
	}
	return packets
}

// checkTimes refuses a signature outside of k's validity.
func (e *evaluation) checkTimes(k *packet.PublicKey, lifetime *uint32) error {
	if e.clock.signed.Before(k.CreationTime) {
		return errKeyNotValid("the signature is dated before its key was made")
	}
	if lifetime == nil || *lifetime == 0 {
		return nil
	}
	end := k.CreationTime.Add(time.Duration(*lifetime) * time.Second)
	const message = "the key had expired when the signature was made"
	switch {
	case e.clock.signed.Before(end) && e.clock.now.Before(end):
	case e.clock.signed.Before(end):
		e.use.notes = append(e.use.notes, "the key has expired since; when it signed is the signer's claim only")
	case !e.policy.Allows(formats.ExceptionExpiredKey):
		return formats.NewError(formats.ReasonKeyExpired, message, hintStaleKey+"; else sign with a key that has not expired"+formats.HintHistorical)
	default:
		e.use.findings = append(e.use.findings, formats.Finding{Reason: formats.ReasonKeyExpired, Message: message, Exception: formats.ExceptionExpiredKey})
	}
	return nil
}

func errKeyNotValid(message string) error {
	return formats.NewError(formats.ReasonKeyNotValid, message, "send the signer's whole public key: gpg --armor --export KEYID; "+hintStaleKey)
}

// primaryProperties reads flags and expiry from the newest direct-key signature that states them
// and, for what that one leaves open, from the newest user-ID certification. Only the
// signatures that had a say are kept, so that a user ID stays out of the receipt if it can.
func (e *evaluation) primaryProperties() (props properties, err error) {
	direct, err := e.directSignature()
	if err != nil {
		return props, err
	}
	if direct != nil {
		props.takeProperties(direct)
		e.sha1 = e.sha1 || usesSHA1(direct.Signature)
		e.kept.direct = appendPacket(e.kept.direct, tagSignature, direct.body)
	}
	if props.flags != nil && props.lifetime != nil {
		return props, nil
	}
	certification, err := e.findCertification()
	if err != nil {
		return props, err
	}
	if certification == nil && direct == nil {
		return props, errKeyNotValid("the key has no valid signature of its own")
	}
	if certification != nil && (props.takeProperties(certification) || direct == nil) {
		e.sha1 = e.sha1 || usesSHA1(certification.Signature)
		e.kept.users = appendPacket(e.kept.users, tagUserID, certification.user.id)
		e.kept.users = appendPacket(e.kept.users, tagSignature, certification.body)
	}
	return props, nil
}

// takeProperties takes from s what p leaves open and reports whether there was anything.
func (p *properties) takeProperties(s *candidate) (used bool) {
	if p.flags == nil && s.FlagsValid {
		p.flags, used = s.Signature, true
	}
	if p.lifetime == nil && s.KeyLifetimeSecs != nil {
		p.lifetime, used = s.KeyLifetimeSecs, true
	}
	return used
}

func (e *evaluation) directSignature() (*candidate, error) {
	list, err := e.clock.gatherSignatures(e.cert.direct, e.primary, nil, packet.SigTypeDirectSignature)
	if err != nil {
		return nil, err
	}
	kept := list[:0]
	for _, s := range list {
		if s.FlagsValid || s.KeyLifetimeSecs != nil { // others name a revoker and say nothing
			kept = append(kept, s)
		}
	}
	return e.clock.findNewest(kept, e.key, func(s candidate) (bool, error) {
		return e.primary.VerifyDirectKeySignature(s.Signature) == nil, nil
	})
}

// checkPrimaryFlags: a primary key without flags is from before there were any, and may sign.
func (e *evaluation) checkPrimaryFlags(props properties) error {
	if props.flags != nil && !props.flags.FlagSign {
		return errKeyNotValid("the key may not sign documents")
	}
	if props.flags == nil && e.primary.Version > 4 {
		return errKeyNotValid("the key does not say that it may sign documents")
	}
	return nil
}

// boundSubkey is a subkey, its newest valid binding and all signatures that follow it.
type boundSubkey struct {
	subkey
	key     *packet.PublicKey
	binding *candidate
}

// bindSubkey finds the subkey that from names, over all copies of it, and its binding with the
// back-signature, without which anybody could claim another's subkey.
func (e *evaluation) bindSubkey(from issuer) (*boundSubkey, error) {
	var b boundSubkey
	for _, s := range e.cert.subkeys {
		if err := e.clock.meter.ChargeBytes(len(s.body) + hashSetup); err != nil {
			return nil, err
		}
		if from.matchesKey(s.body) && (b.body == nil || bytes.Equal(b.body, s.body)) {
			b.body = s.body
			b.signatures = append(b.signatures, s.signatures...)
		}
	}
	var err error
	if b.key, err = e.clock.readKey(tagPublicSubkey, b.body); err != nil {
		return nil, err
	}
	if b.key.Version != e.primary.Version {
		return nil, errKeyNotValid("the signing subkey is of another version than its primary key")
	}
	sub, err := e.checkAlgorithm(b.key)
	if err != nil {
		return nil, err
	}
	list, err := e.clock.gatherSignatures(b.signatures, e.primary, nil, packet.SigTypeSubkeyBinding)
	if err != nil {
		return nil, err
	}
	b.binding, err = e.clock.findNewest(list, e.key, func(s candidate) (bool, error) {
		if err := e.clock.meter.ChargeChecks(1, sub); err != nil { // of the back-signature
			return false, err
		}
		verify := func() error { return e.primary.VerifyKeySignature(b.key, s.Signature) }
		return formats.CheckOnce("PGP subkey binding", verify, e.cert.primary, b.body, s.body) == nil, nil
	})
	if err != nil {
		return nil, err
	}
	if b.binding == nil {
		return nil, errKeyNotValid("the signing subkey is not bound to its primary key, or did not sign that itself")
	}
	// The library checks the back-signature of a subkey whose flags say that it signs.
	back := b.binding.EmbeddedSignature
	if !b.binding.FlagsValid || !b.binding.FlagSign || back == nil || !e.clock.inForce(back) {
		return nil, errKeyNotValid("the subkey may not sign documents")
	}
	e.sha1 = usesSHA1(b.binding.Signature) || usesSHA1(back)
	return &b, nil
}

// checkSubkey checks the revocations and the expiry of a subkey that is bound.
func (e *evaluation) checkSubkey(b *boundSubkey) error {
	misplaced, err := e.findMisplaced(b)
	if err != nil {
		return err
	}
	signatures := slices.Concat(b.signatures, misplaced)
	later, err := e.clock.checkRevocations(signatures, packet.SigTypeSubkeyRevocation, e.primary, e.key,
		func(s *packet.Signature) error { return e.primary.VerifySubkeyRevocationSignature(s, b.key) })
	if err != nil {
		return err
	}
	byOthers, err := e.checkDesignated(signatures, packet.SigTypeSubkeyRevocation, e.primary, b.key)
	if err != nil {
		return err
	}
	e.use.key = b.key
	e.kept.subkey = appendPacket(e.kept.subkey, tagPublicSubkey, b.body)
	e.kept.subkey = appendPacket(e.kept.subkey, tagSignature, b.binding.body)
	e.kept.subkey = e.keepRevocations(e.kept.subkey, append(later, byOthers...))
	e.use.checks = append(e.use.checks, "subkey-binding", "subkey-back-signature", "subkey-revocation", "subkey-expiry")
	return e.checkTimes(b.key, b.binding.KeyLifetimeSecs)
}
