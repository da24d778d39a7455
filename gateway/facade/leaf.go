// SPDX-License-Identifier: Apache-2.0

package facade

import (
	"crypto/sha256"
	"fmt"

	"github.com/google/uuid"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// LeafFormat is what the submissions have as format that are leaves.
const LeafFormat = "rekor-v1-leaf"

// leaf is an entry as Rekor v1 has it.
type leaf struct {
	hash    gateway.LeafHash
	body    []byte
	digest  formats.Digest
	spkiSum [sha256.Size]byte
}

// newLeaf makes the leaf of an entry of Rekor v2, by its kind and body.
func newLeaf(kind string, body []byte) (leaf, error) {
	record, err := hashedrekord.ParseKind(kind, body)
	if err != nil {
		return leaf{}, fmt.Errorf("reading an entry of Rekor v2: %w", err)
	}
	projection, err := hashedrekord.RekorV1.Projection(record)
	if err != nil {
		return leaf{}, err
	}
	v1, err := hashedrekord.RekorV1.Body(record)
	if err != nil {
		return leaf{}, fmt.Errorf("making a leaf: %w", err)
	}
	return leaf{hashedrekord.LeafHash(v1), v1, projection.Digest, sha256.Sum256(record.SPKI)}, nil
}

// newSubmission returns the submission that records the leaf in the own log with that ID. There is one for each leaf, in whatever tree it is of those
// that go on from the one with the log called first.
func (l leaf) newSubmission(first, log string) (gateway.NewSubmission, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return gateway.NewSubmission{}, err
	}
	return gateway.NewSubmission{
		SubmissionFields: gateway.SubmissionFields{
			ID: id.String(), Tenant: gateway.FacadeTenant(), Format: LeafFormat, Digests: []formats.Digest{l.digest}, Needed: 1,
			Key: leafKey(first, l.hash),
			Signatures: []gateway.RecordedSignature{{
				Signers: [][sha256.Size]byte{l.spkiSum}, Representation: gateway.Native, Way: gateway.Direct, Evidence: formats.EvidenceDigest,
			}},
		},
		Receipt: &receiptpb.Receipt{SubmissionId: id.String()}, // nobody gets it
		Entries: []gateway.NewEntry{{Prepared: gateway.Prepared{Log: log, LeafHash: l.hash, Kind: hashedrekord.V1Kind, Body: l.body}}},
	}, nil
}
