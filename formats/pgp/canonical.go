// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"crypto/ecdsa"
	"encoding/binary"
	"math/big"
	"math/bits"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// encodeCanonical returns the signature packet without what anybody could change: armor, length
// encodings, leading zeros, ECDSA's high s, and the unhashed area, which holds the key id of
// the key that verified and nothing else when the hashed area does not name it.
func (p *parsed) encodeCanonical() []byte {
	s := p.sig
	var body []byte
	if s.version == 3 {
		body = append(body, 3, v3HashedLen)
		body = append(body, s.trailer...)
		body = binary.BigEndian.AppendUint64(body, p.use.key.KeyId)
		body = append(body, byte(s.algo), s.hashID)
	} else {
		l := s.layout
		l.tail = nil
		var unhashed []byte
		if !s.issuer.hashed {
			unhashed = append([]byte{9, subpacketIssuer}, make([]byte, 8)...)
			binary.BigEndian.PutUint64(unhashed[2:], p.use.key.KeyId)
		}
		body = l.withUnhashed(unhashed)
	}
	body = append(body, s.tag[:]...)
	if s.version == 6 {
		body = append(body, byte(len(s.salt)))
		body = append(body, s.salt...)
	}
	return appendPacket(nil, tagSignature, p.appendValues(body))
}

func (p *parsed) appendValues(body []byte) []byte {
	if p.sig.algo == packet.PubKeyAlgoEd25519 {
		return append(body, p.sig.values[0]...)
	}
	for i, v := range p.sig.values {
		if k, ok := p.key.key.(*ecdsa.PublicKey); ok && i == 1 {
			v = lowS(v, k.Params().N)
		}
		body = appendMPI(body, v)
	}
	return body
}

// lowS returns the smaller of s and n-s; both verify.
func lowS(s []byte, n *big.Int) []byte {
	low := new(big.Int).SetBytes(s)
	if other := new(big.Int).Sub(n, low); other.Cmp(low) < 0 {
		low = other
	}
	return low.Bytes()
}

// appendMPI appends v, which has no leading zeros, as RFC 9580 section 3.2 writes it.
func appendMPI(out, v []byte) []byte {
	n := 0
	if len(v) > 0 {
		n = 8*(len(v)-1) + bits.Len8(v[0])
	}
	return append(binary.BigEndian.AppendUint16(out, uint16(n)), v...)
}
