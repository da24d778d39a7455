// SPDX-License-Identifier: Apache-2.0

package store

import (
	"github.com/google/uuid"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// NewRow is a submission with what is stored of it, encoded.
type NewRow struct {
	*gateway.NewSubmission
	RowID   uuid.UUID
	Columns Columns
	// ReceiptBytes is nil where there is no receipt.
	ReceiptBytes []byte
	// What the search indexes hold of it.
	DigestPrefixes, SignerPrefixes [][]byte
}

// EncodeRow checks a submission and encodes it, which shares memory with sub.
func EncodeRow(sub *gateway.NewSubmission) (r NewRow, err error) {
	r.NewSubmission = sub
	if r.RowID, err = CheckNew(sub); err != nil {
		return NewRow{}, err
	}
	if r.Columns, err = EncodeColumns(&sub.SubmissionFields); err != nil {
		return NewRow{}, err
	}
	if r.ReceiptBytes, err = EncodeReceipt(sub.Receipt); err != nil {
		return NewRow{}, err
	}
	for _, d := range sub.Digests {
		prefix, err := DigestPrefix(d)
		if err != nil {
			return NewRow{}, err
		}
		r.DigestPrefixes = append(r.DigestPrefixes, prefix)
	}
	for _, signer := range sub.Signers() {
		r.SignerPrefixes = append(r.SignerPrefixes, SignerPrefix(signer))
	}
	return r, nil
}

// Keys returns all keys that r may be known by, its own first.
func (r *NewRow) Keys() []gateway.SubmissionKey {
	return append([]gateway.SubmissionKey{r.Key}, r.FormerKeys...)
}

// WeighNew returns the bytes that are stored for an entry that waits.
func WeighNew(n gateway.NewEntry) int64 { return int64(len(n.Body) + len(n.Signature)) }
