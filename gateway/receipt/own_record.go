// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// KindOwnRecord is the kind of a proof that is Proof.Own.
const KindOwnRecord = "own"

// MaxAnchors bounds the anchors of a record.
const MaxAnchors = 16

// NewOwnRecord returns what proves that the record at an index is in a gateway's own log: the inclusion proof for the tree of the
// checkpoint, which is a signed note with cosignatures or without, and where the checkpoint is anchored. The body is still missing:
// Complete puts it in. It shares the anchors.
func NewOwnRecord(index uint64, hashes [][sha256.Size]byte, checkpoint []byte, anchors []*receiptpb.Anchor) (*receiptpb.OwnRecord, error) {
	text, err := FormatOwnProof(OwnProof{Index: index, Hashes: hashes, Checkpoint: checkpoint})
	if err != nil {
		return nil, fmt.Errorf("making own record: %w", err)
	}
	if n := len(anchors); n == 0 || n > MaxAnchors {
		return nil, fmt.Errorf("making own record: it has %d anchors, not 1 to %d", n, MaxAnchors)
	}
	return &receiptpb.OwnRecord{Proof: string(text), Anchors: anchors}, nil
}

// completeOwnRecord puts the record and its proof beside the bundle, which keeps the signature.
func completeOwnRecord(e *receiptpb.LogEntry, p Proof) error {
	if e.GetBundle().GetVerificationMaterial() == nil {
		return fmt.Errorf("there is no bundle to complete")
	}
	e.Own = &receiptpb.OwnRecord{Body: p.Body, Proof: p.Own.GetProof(), Anchors: slices.Clone(p.Own.GetAnchors())}
	addTokens(e, p.Tokens)
	return checkOwnShape(e)
}

// checkOwnShape refuses an entry with an own record that lacks a part, or has one too many.
func checkOwnShape(e *receiptpb.LogEntry) error {
	own := e.GetOwn()
	switch {
	case len(e.GetBundle().GetVerificationMaterial().GetTlogEntries()) > 0:
		return malformed("has an entry that is in a log and in a gateway's own")
	case len(own.GetBody()) == 0 || len(own.GetBody()) > hashedrekord.MaxBody:
		return malformed("has an own log's record that is empty or too large")
	}
	if err := checkOwnProofShape(own); err != nil {
		return err
	}
	return checkAnchorBundles(own)
}

// checkOwnProofShape refuses what proves an own record when it lacks a part.
func checkOwnProofShape(own *receiptpb.OwnRecord) error {
	switch {
	case len(own.GetProof()) == 0 || len(own.GetProof()) > MaxOwnProof:
		return malformed("has an own log's record without a proof")
	case len(own.GetAnchors()) == 0 || len(own.GetAnchors()) > MaxAnchors:
		return malformed(fmt.Sprintf("has an own log's record without 1 to %d anchors", MaxAnchors))
	}
	return nil
}

func checkAnchorBundles(own *receiptpb.OwnRecord) error {
	for _, a := range own.GetAnchors() {
		if err := checkBundle(a.GetBundle()); err != nil {
			return err
		}
	}
	return nil
}
