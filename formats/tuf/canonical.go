// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"crypto/ecdsa"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// encodeDocument returns the document as canonical JSON with the signatures that count alone, in the
// order of signers, in lower-case hexadecimal and with ECDSA's s in its lower half. That is a
// document which verifies, with this very canonical form, once the control characters in its
// strings (a PEM key's line ends) are escaped: canonical JSON leaves them bare.
func encodeDocument(m *formats.Meter, d *document, signers []signer) ([]byte, error) {
	signatures := make([]any, len(signers))
	for i, s := range signers {
		sig, err := s.key.lowS(s.sig)
		if err != nil {
			return nil, err
		}
		signatures[i] = map[string]any{"keyid": s.keyID, "sig": hex.EncodeToString(sig)}
	}
	list, err := encodeCanonical(m, signatures)
	if err != nil {
		return nil, err
	}
	return slices.Concat([]byte(`{"signatures":`), list, []byte(`,"signed":`), d.payload, []byte("}")), nil
}

// lowS returns an ECDSA signature with s or n−s, whichever is smaller: both verify. Others
// come back as they are.
func (k *publicKey) lowS(sig []byte) ([]byte, error) {
	pub, ok := k.public.(*ecdsa.PublicKey)
	if !ok {
		return sig, nil
	}
	var v struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(sig, &v); err != nil {
		return nil, formats.WrapError(err, formats.ReasonSignatureInvalid, "an ECDSA signature is not in ASN.1 DER", "sign again with the repository's tool")
	}
	order := pub.Params().N
	if new(big.Int).Lsh(v.S, 1).Cmp(order) > 0 {
		v.S.Sub(order, v.S)
	}
	return asn1.Marshal(v)
}
