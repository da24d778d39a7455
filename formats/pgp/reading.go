// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// selfSignature is a signature inside a key by that key's primary key.
type selfSignature struct {
	*packet.Signature
	body []byte // normalised: nothing unhashed but issuer and back-signature
}

// signatureType returns the type octet of a signature packet of any version.
func signatureType(body []byte) packet.SignatureType {
	switch {
	case len(body) > 2 && body[0] == 3:
		return packet.SignatureType(body[2])
	case len(body) > 1:
		return packet.SignatureType(body[1])
	}
	return 0xff
}

// mayBeBy reports whether body could be a signature by primary, from the names in it: most of what a
// well-connected key carries is other people's and is not parsed at all. What cannot be walked may be anybody's.
func (c *clock) mayBeBy(body []byte, primary *packet.PublicKey) (bool, error) {
	if err := c.meter.ChargeBytes(costWalk * len(body)); err != nil {
		return false, err
	}
	l, ok := splitSignature(body)
	if !ok {
		return true, nil
	}
	id := binary.BigEndian.AppendUint64(nil, primary.KeyId)
	hashed, unhashed := findName(l.hashed, id), findName(l.unhashed, id)
	if !hashed.found && !unhashed.found && hashed.whole && unhashed.whole {
		return false, nil
	}
	return true, c.meter.ChargeElements(costSubpacket * (hashed.subpackets + unhashed.subpackets))
}

const (
	costWalk      = 4 // of an octet of a signature that is walked over
	costSubpacket = 4 // of a subpacket that the library reads, in elements
)

// area is what a walk over a signature's subpackets shows.
type area struct {
	subpackets int
	found      bool // one that names an issuer holds the key id
	whole      bool // walked to its end
}

// findName looks for a key id, which is also a part of the fingerprint.
func findName(rest, id []byte) (a area) {
	for len(rest) > 0 {
		kind, content, _, next, ok := nextSubpacket(rest)
		if !ok {
			return a
		}
		a.subpackets++
		issuer := kind == subpacketIssuer || kind == subpacketIssuerFingerprint
		a.found = a.found || issuer && bytes.Contains(content, id)
		rest = next
	}
	a.whole = true
	return a
}

// readSelf parses body as a signature by primary; nil when it is somebody else's,
// or nothing that can be relied on. What it costs has been charged by mayBeBy.
func readSelf(body []byte, primary *packet.PublicKey) *selfSignature {
	s := readNormalised(body)
	if s == nil || s.Version != primary.Version || !s.CheckKeyIdOrFingerprint(primary) {
		return nil
	}
	return s
}

// readNormalised parses body as a signature by anybody; nil when nothing can be relied on.
func readNormalised(body []byte) *selfSignature {
	l, ok := splitSignature(body)
	if !ok || len(body) > maxSignaturePacket {
		return nil
	}
	wanted := []byte{subpacketIssuer, subpacketIssuerFingerprint, subpacketEmbedded}
	if hasSubpacket(l.hashed, subpacketEmbedded) {
		wanted = wanted[:2]
	}
	body = l.withUnhashed(keepSubpackets(l.unhashed, wanted...))
	p, err := readPacket(tagSignature, body)
	if err != nil {
		return nil
	}
	sig, ok := p.(*packet.Signature)
	if !ok || criticalNotation(sig) {
		return nil
	}
	return &selfSignature{sig, body}
}

func criticalNotation(sig *packet.Signature) bool {
	return slices.ContainsFunc(sig.Notations, func(n *packet.Notation) bool { return n.IsCritical })
}

// candidate is a self-signature not verified yet and the user ID it is over, if any.
type candidate struct {
	*selfSignature
	user *user
}

// gatherSignatures returns the self-signatures of the wanted types that are in force.
func (c *clock) gatherSignatures(bodies [][]byte, primary *packet.PublicKey, u *user, types ...packet.SignatureType) ([]candidate, error) {
	readings, err := c.readAll(bodies, primary, types...)
	if err != nil {
		return nil, err
	}
	var list []candidate
	for _, r := range readings {
		if r.self != nil && c.inForce(r.self.Signature) {
			list = append(list, candidate{r.self, u})
		}
	}
	return list, nil
}

// reading is a signature's body and what readSelf made of it.
type reading struct {
	body []byte
	self *selfSignature
}

// readAll reads those of the wanted types that may be by primary. Of copies, which differ at most in
// what is not hashed, there is one in the result.
func (c *clock) readAll(bodies [][]byte, primary *packet.PublicKey, types ...packet.SignatureType) ([]reading, error) {
	if err := c.meter.ChargeElements(len(bodies)); err != nil {
		return nil, err
	}
	var list []reading
	seen := map[string]bool{}
	for _, body := range bodies {
		if !slices.Contains(types, signatureType(body)) {
			continue
		}
		if by, err := c.mayBeBy(body, primary); err != nil {
			return nil, err
		} else if !by {
			continue
		}
		if err := c.meter.ChargeParses(1); err != nil {
			return nil, err
		}
		s := readSelf(body, primary)
		if s != nil && seen[string(s.body)] {
			continue
		}
		if s != nil {
			seen[string(s.body)] = true
		}
		list = append(list, reading{body, s})
	}
	return list, nil
}
