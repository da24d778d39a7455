// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"encoding/binary"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"golang.org/x/crypto/cryptobyte"
)

const (
	v3HashedLen = 5  // signature type and creation time, the hashed part
	v3FixedLen  = 19 // octets before the signature's values
)

// readV3 reads a version 3 signature (RFC 4880, section 5.2.2), which the library skips:
// version, 5, type, time, key id, key algorithm, hash algorithm, hash tag, values.
func readV3(body []byte) (*signature, error) {
	errBad := errMalformedSignature("the version 3 signature packet is malformed", "check that the whole file was sent")
	if len(body) < v3FixedLen || body[1] != v3HashedLen {
		return nil, errBad
	}
	s := &signature{version: 3, trailer: body[2:7:7], tag: [2]byte(body[17:19])}
	if err := s.setAlgorithms(body[2], body[15], body[16]); err != nil {
		return nil, err
	}
	if s.algo != packet.PubKeyAlgoRSA && s.algo != packet.PubKeyAlgoRSASignOnly && s.algo != packet.PubKeyAlgoDSA {
		return nil, errBad
	}
	s.created = time.Unix(int64(binary.BigEndian.Uint32(body[3:7])), 0)
	s.issuer.keyID = binary.BigEndian.Uint64(body[7:15])
	var ok bool
	if s.values, ok = readValues(cryptobyte.String(body[v3FixedLen:]), s.algo, s.version); !ok {
		return nil, errBad
	}
	return s, nil
}
