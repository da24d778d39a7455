// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"bytes"
	"crypto"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"golang.org/x/crypto/cryptobyte"
)

// findMisplaced returns the revocations over b that stand elsewhere in the certificate. Programs append them to a
// key, and gpg puts them in their place. Most of what stands elsewhere is over other subkeys: its hash tag says so.
func (e *evaluation) findMisplaced(b *boundSubkey) (bodies [][]byte, err error) {
	elsewhere := [][][]byte{e.cert.misplaced}
	for _, s := range e.cert.subkeys {
		if !bytes.Equal(s.body, b.body) {
			elsewhere = append(elsewhere, s.signatures)
		}
	}
	for _, list := range elsewhere {
		if err := e.clock.meter.ChargeElements(len(list)); err != nil {
			return nil, err
		}
		for _, body := range list {
			if signatureType(body) != packet.SigTypeSubkeyRevocation {
				continue
			}
			if err := e.clock.meter.ChargeBytes(len(e.cert.primary) + len(b.body) + len(body) + hashSetup); err != nil {
				return nil, err
			}
			if matchesTag(body, e.primary, b.key) {
				bodies = append(bodies, body)
			}
		}
	}
	return bodies, nil
}

// idSHA224 is what gpg takes for DSA keys with 224 bits. No document's signature may use it.
const idSHA224 = 11

// matchesTag reports whether a signature's hash tag, the first two octets of the digest it signs, is that of one over the
// keys, as in every signature that a program has made. Where the hash is not known, the signature counts only where it stands.
func matchesTag(body []byte, over ...*packet.PublicKey) bool {
	t, ok := readTag(body)
	if !ok {
		return false
	}
	hash, _, err := hashOf(t.hashID)
	if t.hashID == idSHA224 {
		hash, err = crypto.SHA224, nil
	}
	if err != nil {
		return false
	}
	h := hash.New()
	h.Write(t.salt)
	for _, k := range over {
		if k.SerializeForHash(h) != nil {
			return false
		}
	}
	h.Write(t.trailer)
	return bytes.HasPrefix(h.Sum(nil), t.tag)
}

// hashTag is a signature's hash tag and what it is computed from, beside what is signed.
type hashTag struct {
	hashID             byte
	salt, trailer, tag []byte
}

func readTag(body []byte) (t hashTag, ok bool) {
	if len(body) >= v3FixedLen && body[0] == 3 {
		return hashTag{hashID: body[16], trailer: body[2:7], tag: body[17:19]}, true
	}
	l, ok := splitSignature(body)
	if !ok {
		return t, false
	}
	t.hashID, t.trailer = l.head[3], l.encodeTrailer()
	tail := cryptobyte.String(l.tail)
	ok = tail.ReadBytes(&t.tag, 2) && (l.version != 6 || tail.ReadUint8LengthPrefixed((*cryptobyte.String)(&t.salt)))
	return t, ok
}
