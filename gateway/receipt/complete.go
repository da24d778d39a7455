// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"fmt"

	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/proto"

	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// KindTransparencyLogEntry is the kind of a proof that is a protobuf dev.sigstore.rekor.v1
// TransparencyLogEntry without its body, as a Sigstore bundle holds it.
const KindTransparencyLogEntry = "rekor.v1.TransparencyLogEntry"

// Proof is what a log's adapter has verified of an entry, in the form of its kind.
type Proof struct {
	Kind  string
	Bytes []byte
	Own   *receiptpb.OwnRecord // in place of Bytes, for KindOwnRecord; its body does not count
	Body  []byte               // the entry that is proven
	// Tokens are RFC 3161 timestamps over the entry's signature, DER.
	Tokens [][]byte
}

// EncodeProof returns the bytes of a proof of KindTransparencyLogEntry. The body is left out: it is
// kept beside the proof.
func EncodeProof(e *rekorpb.TransparencyLogEntry) ([]byte, error) {
	if e.GetCanonicalizedBody() != nil {
		e = proto.CloneOf(e)
		e.CanonicalizedBody = nil
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encoding proof: %w", err)
	}
	return raw, nil
}

// Complete returns a copy of skeleton in which every entry has its proof, in the order of skeleton's
// entries. It shares the anchors of own records with the proofs, but not their list. To add a kind of proof, give it a case here and in checkProofs.
func Complete(skeleton *receiptpb.Receipt, proofs []Proof) (*receiptpb.Receipt, error) {
	if len(proofs) == 0 || len(proofs) != len(skeleton.GetEntries()) {
		return nil, fmt.Errorf("completing receipt: %d proofs for %d entries", len(proofs), len(skeleton.GetEntries()))
	}
	r := proto.CloneOf(skeleton)
	for i, e := range r.GetEntries() {
		var err error
		switch proofs[i].Kind {
		case KindTransparencyLogEntry:
			err = completeBundle(e, proofs[i])
		case KindOwnRecord:
			err = completeOwnRecord(e, proofs[i])
		default:
			err = fmt.Errorf("proof is of an unknown kind %q", proofs[i].Kind)
		}
		if err != nil {
			return nil, fmt.Errorf("completing receipt: entry %d: %w", i+1, err)
		}
	}
	return r, nil
}

// completeBundle puts the log's entry into a Sigstore bundle.
func completeBundle(e *receiptpb.LogEntry, p Proof) error {
	material := e.GetBundle().GetVerificationMaterial()
	if material == nil {
		return fmt.Errorf("there is no bundle to complete")
	}
	var logged rekorpb.TransparencyLogEntry
	if err := proto.Unmarshal(p.Bytes, &logged); err != nil {
		return fmt.Errorf("reading proof: %w", err)
	}
	logged.CanonicalizedBody = p.Body
	material.TlogEntries = []*rekorpb.TransparencyLogEntry{&logged}
	addTokens(e, p.Tokens)
	return nil
}

// addTokens puts RFC 3161 timestamps into an entry's bundle.
func addTokens(e *receiptpb.LogEntry, tokens [][]byte) {
	material := e.GetBundle().GetVerificationMaterial()
	for _, token := range tokens {
		if material.TimestampVerificationData == nil {
			material.TimestampVerificationData = &bundlepb.TimestampVerificationData{}
		}
		data := material.TimestampVerificationData
		data.Rfc3161Timestamps = append(data.Rfc3161Timestamps, &commonpb.RFC3161SignedTimestamp{SignedTimestamp: token})
	}
}
