// SPDX-License-Identifier: Apache-2.0

package facade

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekord"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// LeafFormat is what the submissions have as format that are leaves.
const LeafFormat = "rekor-v1-leaf"

// leaf is an entry as Rekor v1 has it.
type leaf struct {
	hash     gateway.LeafHash
	kind     string
	body     []byte
	digest   formats.Digest
	signers  [][sha256.Size]byte // SHA-256 of the SPKIs
	evidence formats.Evidence    // of the digest
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
	return leaf{leafHash(v1), hashedrekord.V1Kind, v1, projection.Digest, [][sha256.Size]byte{sha256.Sum256(record.SPKI)}, formats.EvidenceDigest}, nil
}

var errOtherRekord = errors.New("making a leaf: the rekord is not of the submission's signature and file")

// newRekordLeaf makes the leaf of a submission's only signature as Rekor v1 records it with its file, of which the gateway has seen the bytes.
func newRekordLeaf(body []byte, of gateway.Submission) (leaf, error) {
	r, err := rekord.Parse(body)
	if err != nil {
		return leaf{}, fmt.Errorf("making a leaf: %w", err)
	}
	digest := formats.Digest{Algorithm: formats.SHA256, Value: r.Digest[:]}
	if r.Format != of.Format || len(of.Signatures) != 1 || of.Signatures[0].Evidence != formats.EvidenceBytes || !slices.ContainsFunc(of.Digests, digest.Equal) {
		return leaf{}, errOtherRekord
	}
	return leaf{leafHash(body), rekord.Kind, body, digest, of.Signatures[0].Signers, formats.EvidenceBytes}, nil
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
				Signers: l.signers, Representation: gateway.Native, Way: gateway.Direct, Evidence: l.evidence,
			}},
		},
		Receipt: &receiptpb.Receipt{SubmissionId: id.String()}, // nobody gets it
		Entries: []gateway.NewEntry{{Prepared: gateway.Prepared{Log: log, LeafHash: l.hash, Kind: l.kind, Body: l.body}}},
	}, nil
}
