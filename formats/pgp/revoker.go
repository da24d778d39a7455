// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// designation is a signature, said to be the primary key's own, that names a revoker (RFC 9580, section 5.2.3.23).
// Once made it cannot be taken back: it counts whatever its age.
type designation struct {
	fingerprint []byte // of the revoker: 20 octets for version 4, 32 for version 6
	body        []byte
	user        *user // that it is over; nil for a direct-key signature
	valid, kept bool  // it has been verified; it is part of the minimal key
}

// designations are those of one key by the key id of the revoker. What turns out to be void is dropped, so that each is
// verified at most once, however many revocations there are.
type designations map[uint64][]*designation

// checkDesignated refuses a key that was revoked by a key which its primary key has named as revoker. The rule
// is that of a key's own revocations. One that does not verify by the revoker's key is void; where that key is missing
// or cannot be used, nobody can show that a revocation in its name is, so it counts. The revocations are over the keys.
func (e *evaluation) checkDesignated(bodies [][]byte, kind packet.SignatureType, over ...*packet.PublicKey) (later [][]byte, err error) {
	if err := e.clock.meter.ChargeElements(len(bodies)); err != nil {
		return nil, err
	}
	for _, body := range bodies {
		if signatureType(body) != kind {
			continue
		}
		by, err := e.findDesignation(body)
		if err != nil {
			return nil, err
		}
		if by == nil {
			continue
		}
		stands, err := e.judgeDesignated(body, by, over)
		if err != nil {
			return nil, err
		}
		if stands == nil || slices.ContainsFunc(later, func(b []byte) bool { return bytes.Equal(b, stands) }) {
			continue
		}
		e.kept.keepDesignation(by)
		later = append(later, stands)
	}
	return later, nil
}

// findDesignation returns the valid designation of a key that the signature names as its issuer, or nil.
func (e *evaluation) findDesignation(body []byte) (*designation, error) {
	names, err := e.clock.listIssuers(body)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	if e.designated == nil {
		if e.designated, err = e.gatherDesignations(); err != nil {
			return nil, err
		}
	}
	for _, id := range names {
		for len(e.designated[id]) > 0 {
			d := e.designated[id][0]
			if !d.valid {
				if d.valid, err = e.verifyDesignation(d); err != nil {
					return nil, err
				}
			}
			if d.valid {
				return d, nil
			}
			e.designated[id] = e.designated[id][1:]
		}
	}
	return nil, nil
}

// listIssuers returns the key ids of those whom a signature names as its maker, protected or not.
func (c *clock) listIssuers(body []byte) (ids []uint64, err error) {
	if len(body) >= v3FixedLen && body[0] == 3 {
		return []uint64{decodeUint64(body[7:15])}, nil
	}
	if err := c.meter.ChargeBytes(costWalk * len(body)); err != nil {
		return nil, err
	}
	l, ok := splitSignature(body)
	if !ok {
		return nil, nil
	}
	for _, area := range [][]byte{l.hashed, l.unhashed} {
		for {
			kind, content, _, rest, ok := nextSubpacket(area)
			if !ok {
				break
			}
			area = rest
			switch {
			case kind == subpacketIssuer && len(content) == 8:
				ids = append(ids, decodeUint64(content))
			case kind == subpacketIssuerFingerprint && len(content) > 1:
				if id, ok := keyIDOf(content[1:]); ok {
					ids = append(ids, id)
				}
			}
		}
	}
	return ids, nil
}

// keyIDOf returns the key id of a version 4 or 6 fingerprint.
func keyIDOf(fingerprint []byte) (id uint64, ok bool) {
	switch len(fingerprint) {
	case 20:
		return binary.BigEndian.Uint64(fingerprint[12:]), true
	case 32:
		return binary.BigEndian.Uint64(fingerprint), true
	}
	return 0, false
}

// gatherDesignations finds the designations that may be the primary key's, in direct-key signatures and, as some old
// programs wrote them, in certifications of user IDs.
func (e *evaluation) gatherDesignations() (designations, error) {
	found := designations{}
	if err := e.addDesignations(found, e.cert.direct, nil); err != nil {
		return nil, err
	}
	for i := range e.cert.users {
		u := &e.cert.users[i]
		if len(u.id) > maxUserID {
			continue
		}
		if err := e.addDesignations(found, u.signatures, u); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (e *evaluation) addDesignations(found designations, bodies [][]byte, u *user) error {
	for _, body := range bodies {
		kind := signatureType(body)
		if certifies := kind >= packet.SigTypeGenericCert && kind <= packet.SigTypePositiveCert; certifies != (u != nil) ||
			u == nil && kind != packet.SigTypeDirectSignature {
			continue
		}
		if by, err := e.clock.mayBeBy(body, e.primary); err != nil {
			return err
		} else if !by {
			continue
		}
		l, ok := splitSignature(body)
		if !ok {
			continue
		}
		for _, fingerprint := range listRevokers(l.hashed) {
			id, _ := keyIDOf(fingerprint)
			found[id] = append(found[id], &designation{fingerprint: fingerprint, body: body, user: u})
		}
	}
	return nil
}

// listRevokers returns the fingerprints in the revocation key subpackets of a hashed area: class, algorithm,
// fingerprint. The top bit of the class is always set; the next one marks what only its owner should export.
func listRevokers(area []byte) (fingerprints [][]byte) {
	for {
		kind, content, _, rest, ok := nextSubpacket(area)
		if !ok {
			return fingerprints
		}
		area = rest
		if kind != subpacketRevoker || len(content) < 2 || content[0]&0x80 == 0 {
			continue
		}
		if _, ok := keyIDOf(content[2:]); ok {
			fingerprints = append(fingerprints, content[2:])
		}
	}
}

// verifyDesignation checks that d is the primary key's own word.
func (e *evaluation) verifyDesignation(d *designation) (bool, error) {
	if err := e.clock.meter.ChargeParses(1); err != nil {
		return false, err
	}
	s := readDesignation(d.body, e.primary)
	if s == nil {
		return false, nil
	}
	if err := e.clock.spendCheck(e.key); err != nil {
		return false, err
	}
	if d.user != nil {
		return e.primary.VerifyUserIdSignature(string(d.user.id), e.primary, s.Signature) == nil, nil
	}
	return e.primary.VerifyDirectKeySignature(s.Signature) == nil, nil
}

// readDesignation is readSelf for a signature that names a revoker. The library does not know that subpacket,
// and refuses the signature where it is marked critical; the mark is taken off for its reading, and hashed all the same.
func readDesignation(body []byte, primary *packet.PublicKey) *selfSignature {
	l, ok := splitSignature(body)
	if !ok {
		return nil
	}
	trailer := l.encodeTrailer()
	l.hashed = bytes.Clone(l.hashed)
	for area := l.hashed; ; {
		kind, content, whole, rest, ok := nextSubpacket(area)
		if !ok {
			break
		}
		if kind == subpacketRevoker {
			whole[len(whole)-len(content)-1] = kind
		}
		area = rest
	}
	s := readSelf(l.withUnhashed(l.unhashed), primary)
	if s != nil {
		s.HashSuffix = trailer
	}
	return s
}

// judgeDesignated returns the revocation when it stands and is of the kind that came later than the signature.
func (e *evaluation) judgeDesignated(body []byte, by *designation, over []*packet.PublicKey) (later []byte, err error) {
	if err := e.clock.meter.ChargeParses(1); err != nil {
		return nil, err
	}
	revoker, err := e.clock.findRevoker(by.fingerprint)
	if err != nil {
		return nil, err
	}
	if revoker == nil {
		s := readNormalised(body)
		if s == nil {
			return nil, errUncheckedRevocation()
		}
		return e.clock.judgeRevocation(s, errRevokedInName())
	}
	s := readSelf(body, revoker.key)
	if s == nil {
		if unreadableRevocation(body, revoker.key) {
			return nil, errUncheckedRevocation()
		}
		return nil, nil
	}
	if err := e.clock.spendCheck(revoker.public.key); err != nil {
		return nil, err
	}
	if !revoker.verifyOver(s.Signature, over) {
		return nil, nil
	}
	return e.clock.judgeRevocation(s, errRevoked("the key has been revoked by its designated revoker"))
}

func errRevokedInName() error {
	return formats.NewError(formats.ReasonKeyRevoked, "the key has been revoked in the name of its designated revoker, whose key is not here to check that with",
		"sign with a key that is not revoked; if this one is not, send the revoker's key beside it")
}

// revoker is a designated revoker's key.
type revoker struct {
	key    *packet.PublicKey
	public publicKey
}

// verifyOver reports whether sig is by the revoker and over the keys.
func (r *revoker) verifyOver(sig *packet.Signature, over []*packet.PublicKey) bool {
	h, err := sig.PrepareVerify()
	if err != nil {
		return false
	}
	for _, k := range over {
		if k.SerializeForHash(h) != nil {
			return false
		}
	}
	return r.key.VerifySignature(h, sig) == nil
}

// findRevoker returns the key with that fingerprint out of all key files; nil when it is not there, or of a kind
// or a strength that nothing is checked with.
func (c *clock) findRevoker(fingerprint []byte) (*revoker, error) {
	body, err := c.files.findKey(fingerprint)
	if err != nil || body == nil {
		return nil, err
	}
	key, err := c.readKey(tagPublicKey, body)
	if err == nil {
		var public publicKey
		if public, err = readPublicKey(key); err == nil {
			return &revoker{key, public}, nil
		}
	}
	if reason := formats.ReasonOf(err); reason == "" || reason == formats.ReasonTooMuchWork {
		return nil, err
	}
	return nil, nil
}

// keyFiles are all that may hold a key, and an index of them once one is looked for.
type keyFiles struct {
	meter *formats.Meter
	files [][]byte
	limit int // packets
	index map[string][]byte
}

// findKey returns the body of the key with that fingerprint, a primary key or not, or nil.
func (f *keyFiles) findKey(fingerprint []byte) ([]byte, error) {
	if f.index == nil {
		if err := f.buildIndex(); err != nil {
			return nil, err
		}
	}
	return f.index[string(fingerprint)], nil
}

func (f *keyFiles) buildIndex() error {
	f.index = map[string][]byte{}
	w := walker{meter: f.meter, left: f.limit, visit: func(p rawPacket) error {
		if p.tag != tagPublicKey && p.tag != tagPublicSubkey {
			return nil
		}
		if err := f.meter.ChargeBytes(len(p.body) + hashSetup); err != nil {
			return err
		}
		if fingerprint, _, err := fingerprintOf(p.body); err == nil {
			f.index[string(fingerprint)] = p.body
		}
		return nil
	}}
	for _, file := range f.files {
		if err := w.walkFile(file); err != nil {
			return err
		}
	}
	return nil
}
