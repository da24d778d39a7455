// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // version 4 fingerprints are SHA-1; old keys' own signatures use it too
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// maxPackets bounds the packets of all keys of a submission together; flooded keys of the
// SKS servers have tens of thousands. The policy's own keys are not bounded.
const maxPackets = 1 << 16

// maxCertificates bounds the different primary keys that hold the wanted key.
const maxCertificates = 16

func errSecretKey() error {
	return formats.NewError(formats.ReasonSecretKey, "this is a private key",
		"it has left its machine: revoke and replace it, then send the public key (gpg --armor --export KEYID)")
}

// refuseSecretKeys looks for private keys before anything else is looked at, so that whoever
// sent one hears of it first.
func refuseSecretKeys(m *formats.Meter, keys [][]byte) error {
	w := walker{meter: m, left: maxPackets, visit: func(p rawPacket) error {
		if p.tag == tagSecretKey || p.tag == tagSecretSubkey {
			return errSecretKey()
		}
		return nil
	}}
	for _, k := range keys {
		if err := m.ChargeBytes(2 * len(k)); err != nil {
			return err
		}
		if bytes.Contains(k, []byte("PRIVATE KEY")) && bytes.Contains(k, []byte("-----BEGIN ")) {
			return errSecretKey()
		}
		err := w.walkFile(k)
		switch formats.ReasonOf(err) {
		case formats.ReasonMalformedKey, formats.ReasonTooLarge:
			continue // said of the signer's keys alone
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// walker visits the packets of key files, up to a number for all files together.
type walker struct {
	meter *formats.Meter
	left  int
	visit func(rawPacket) error
}

// costArmor is what the armor of a block costs however little is in it, in elements.
const costArmor = 10

// walkFile visits a key file: binary, or any number of armored blocks with any text around them,
// as in a KEYS file. Errors have ReasonMalformedKey or ReasonTooLarge, or are the meter's or visit's.
func (w *walker) walkFile(data []byte) error {
	if err := w.meter.ChargeBytes(3 * len(data)); err != nil { // searched, split into lines, decoded
		return err
	}
	if isBinaryKey(data) {
		return w.walkPackets(data)
	}
	blocks := 0
	for {
		at := bytes.Index(data, armorBegin(armorPublic))
		if at < 0 {
			break
		}
		if err := w.meter.ChargeElements(costArmor); err != nil {
			return err
		}
		packets, rest, ok := decodeArmor(data[at:], armorPublic)
		if !ok {
			return errMalformedKey("the armor of a key is damaged")
		}
		if err := w.walkPackets(packets); err != nil {
			return err
		}
		blocks++
		data = rest
	}
	if blocks == 0 {
		return errMalformedKey("the key is no PGP public key")
	}
	return nil
}

// isBinaryKey looks at the first octet alone: text around armor may start with any letter.
func isBinaryKey(data []byte) bool {
	if len(data) == 0 {
		return false
	}
	tag, ok := packetTag(data[0])
	return ok && (tag == tagPublicKey || tag == tagSecretKey || tag == tagSecretSubkey || tag == tagPublicSubkey)
}

func (w *walker) walkPackets(data []byte) error {
	for len(data) > 0 {
		if err := w.meter.ChargeElements(1); err != nil {
			return err
		}
		p, rest, err := nextPacket(data)
		if err != nil {
			return errMalformedKey("a key file is cut short or damaged")
		}
		if w.left--; w.left < 0 {
			return formats.NewError(formats.ReasonTooLarge, "the keys have more than 65536 packets", "send the signer's key alone")
		}
		if err := w.visit(p); err != nil {
			return err
		}
		data = rest
	}
	return nil
}

func errMalformedKey(message string) error {
	return formats.NewError(formats.ReasonMalformedKey, message, "export it with: gpg --armor --export KEYID")
}

// certificate is a primary key with what follows it, as found; nothing in it is checked. The
// slices point into the key files. A signature is the body of its packet.
type certificate struct {
	primary []byte
	direct  [][]byte // signatures right after the primary key
	users   []user
	subkeys []subkey
	// misplaced are the revocations of subkeys that follow none.
	misplaced [][]byte
}

type user struct {
	id         []byte
	signatures [][]byte
}

type subkey struct {
	body       []byte
	signatures [][]byte
}

// findCertificates returns, for each issuer, the certificates that hold a key it names, out of up to limit
// packets. It hashes every key once and parses none.
func findCertificates(m *formats.Meter, keys [][]byte, from []issuer, limit int) ([][]*certificate, error) {
	b := builder{meter: m, from: from, byID: map[uint64][]int{}, found: make([][]*certificate, len(from))}
	for i, f := range from {
		id := f.keyID
		if own, ok := keyIDOf(f.fingerprint); ok { // the fingerprint counts, whatever key id stands beside it
			id = own
		}
		b.byID[id] = append(b.byID[id], i)
	}
	w := walker{meter: m, left: limit, visit: b.addPacket}
	for _, file := range keys {
		if err := w.walkFile(file); err != nil {
			return nil, err
		}
		if err := b.finishCertificate(); err != nil {
			return nil, err
		}
	}
	return b.found, nil
}

// hashSetup is what a hash costs however short its input is, in octets.
const hashSetup = 256

// builder gathers the packets of one certificate at a time and keeps the wanted ones.
type builder struct {
	meter   *formats.Meter
	from    []issuer
	byID    map[uint64][]int // positions in from, by key id
	current []rawPacket      // a primary key and what follows it
	wanted  []int            // positions of those that name a key in current
	found   [][]*certificate // for each issuer
}

func (b *builder) addPacket(p rawPacket) error {
	if p.tag == tagPublicKey {
		if err := b.finishCertificate(); err != nil {
			return err
		}
	} else if len(b.current) == 0 {
		return errMalformedKey("a key file does not start with a public key")
	}
	if p.tag == tagPublicKey || p.tag == tagPublicSubkey {
		if err := b.meter.ChargeBytes(len(p.body) + hashSetup); err != nil {
			return err
		}
		b.markWanted(p.body)
	}
	b.current = append(b.current, p)
	return nil
}

// markWanted marks the issuers that name the key with that packet body.
func (b *builder) markWanted(body []byte) {
	fingerprint, keyID, err := fingerprintOf(body)
	if err != nil {
		return
	}
	for _, i := range b.byID[keyID] {
		if f := b.from[i].fingerprint; (f == nil || bytes.Equal(f, fingerprint)) && !slices.Contains(b.wanted, i) {
			b.wanted = append(b.wanted, i)
		}
	}
}

// finishCertificate keeps the current certificate for those who want it, as one with any other copy of it.
func (b *builder) finishCertificate() error {
	var c *certificate
	for _, i := range b.wanted {
		if c == nil {
			c = assembleCertificate(b.current)
		}
		if b.found[i] = keepCertificate(b.found[i], c); len(b.found[i]) > maxCertificates {
			return formats.NewError(formats.ReasonTooLarge, "more than 16 keys claim to be the signer's", "send the signer's key alone")
		}
	}
	b.current, b.wanted = b.current[:0], b.wanted[:0]
	return nil
}

// keepCertificate appends c, as one with the copy of it that the list has. Other lists may share what is in c.
func keepCertificate(list []*certificate, c *certificate) []*certificate {
	for _, other := range list {
		if bytes.Equal(other.primary, c.primary) {
			other.direct = append(other.direct, c.direct...)
			other.users = append(other.users, c.users...)
			other.subkeys = append(other.subkeys, c.subkeys...)
			other.misplaced = append(other.misplaced, c.misplaced...)
			return list
		}
	}
	return append(list, &certificate{
		primary: c.primary, direct: slices.Clip(c.direct), users: slices.Clip(c.users), subkeys: slices.Clip(c.subkeys),
		misplaced: slices.Clip(c.misplaced),
	})
}

// assembleCertificate hangs every signature on the key or user ID it follows. Those over user attributes
// (pictures) are left out, and so are packets that have no say. A revocation of the primary key hangs on that wherever it is.
func assembleCertificate(packets []rawPacket) *certificate {
	c := &certificate{primary: packets[0].body}
	list, revocations := &c.direct, &c.misplaced // where signatures go now, and where revocations of subkeys do
	for _, p := range packets[1:] {
		switch p.tag {
		case tagSignature:
			switch {
			case signatureType(p.body) == packet.SigTypeKeyRevocation: // programs append it to a key, and gpg puts it in its place
				c.direct = append(c.direct, p.body)
			case signatureType(p.body) == packet.SigTypeSubkeyRevocation:
				*revocations = append(*revocations, p.body)
			case list != nil:
				*list = append(*list, p.body)
			}
		case tagUserID:
			c.users = append(c.users, user{id: p.body})
			list, revocations = &c.users[len(c.users)-1].signatures, &c.misplaced
		case tagPublicSubkey:
			c.subkeys = append(c.subkeys, subkey{body: p.body})
			list = &c.subkeys[len(c.subkeys)-1].signatures
			revocations = list
		case tagAttribute:
			list, revocations = nil, &c.misplaced
		}
	}
	return c
}

// matchesKey reports whether the issuer is the key with that packet body.
func (i issuer) matchesKey(body []byte) bool {
	fingerprint, keyID, err := fingerprintOf(body)
	if err != nil {
		return false
	}
	if i.fingerprint != nil {
		return bytes.Equal(i.fingerprint, fingerprint)
	}
	return i.keyID == keyID
}

var errNoFingerprint = errors.New("key packet of an unknown version")

// fingerprintOf computes the fingerprint and key id of a key packet (RFC 9580, section 5.5.4)
// without parsing it; the library computes it again for the keys that count.
func fingerprintOf(body []byte) (fingerprint []byte, keyID uint64, err error) {
	if len(body) == 0 {
		return nil, 0, errNoFingerprint
	}
	switch {
	case body[0] == 4 && len(body) <= 0xffff:
		h := sha1.New() //nolint:gosec // the version 4 fingerprint
		h.Write(binary.BigEndian.AppendUint16([]byte{0x99}, uint16(len(body))))
		h.Write(body)
		fingerprint = h.Sum(nil)
		return fingerprint, binary.BigEndian.Uint64(fingerprint[12:]), nil
	case body[0] == 6:
		h := sha256.New()
		h.Write(binary.BigEndian.AppendUint32([]byte{0x9b}, uint32(len(body))))
		h.Write(body)
		fingerprint = h.Sum(nil)
		return fingerprint, binary.BigEndian.Uint64(fingerprint), nil
	}
	return nil, 0, errNoFingerprint
}
