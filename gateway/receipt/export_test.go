// SPDX-License-Identifier: Apache-2.0

package receipt

import receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"

// TrustOf returns why a field, as in the list of fields, is believed; "" for a field that is not listed by
// itself.
func TrustOf(path string) string { return string(fields[path]) }

// Condensed returns a receipt as it comes out of an embedded proof, and how many bytes that has.
func Condensed(r *receiptpb.Receipt) (*receiptpb.Receipt, int, error) {
	b, err := encodeCondensed(condense(r))
	if err != nil {
		return nil, 0, err
	}
	c, err := decodeCondensed(b)
	if err != nil {
		return nil, 0, err
	}
	return c, len(b), restoreCondensed(c, r.GetSignature().GetContent())
}

// AddProof, ReadProof are what EmbedProof and FindProof do with any bytes.
var (
	EmbedProof = embedProof
	AddProof   = addProof
	ReadProof  = cutProof
)

// EncodeCondensed returns the condensed form of any receipt, as a proof's extra data would have it.
func EncodeCondensed(r *receiptpb.Receipt) ([]byte, error) { return encodeCondensed(condense(r)) }
