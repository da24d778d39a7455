// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"slices"
	"sync/atomic"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// anchorsJSON are the anchors of a checkpoint, which thousands of receipts have, as they were encoded last.
type anchorsJSON struct {
	message []byte // protobuf of an own record with nothing but them
	json    []byte // the member of that record's object
}

// maxAnchorsJSON bounds what is kept for the next receipt, in bytes.
const maxAnchorsJSON = 64 << 10

// lastAnchors is of the receipt that was encoded last; nil: none was.
var lastAnchors atomic.Pointer[anchorsJSON]

// anchorsKey begins the member. No string of JSON has it inside: there a quotation mark follows a backslash.
var anchorsKey = []byte(`"anchors":`)

// encodeJSON appends r to b as protojson does, but for its spaces.
func encodeJSON(b []byte, r *receiptpb.Receipt) ([]byte, error) {
	options := protojson.MarshalOptions{EmitDefaultValues: true}
	anchors := AnchorsOf(r)
	if len(anchors) == 0 {
		return options.MarshalAppend(b, r)
	}
	member, err := encodeAnchors(anchors)
	if err != nil {
		return nil, err
	}
	bare, err := options.MarshalAppend(b, withoutAnchors(r))
	if err != nil {
		return nil, err
	}
	at, end, ok := findAnchors(bare[len(b):])
	if !ok {
		return options.MarshalAppend(b, r)
	}
	return slices.Replace(bare, len(b)+at, len(b)+end, member...), nil
}

// AnchorsOf returns the anchors of a receipt for one record in an own log; nil for any other.
func AnchorsOf(r *receiptpb.Receipt) []*receiptpb.Anchor {
	if len(r.GetEntries()) != 1 {
		return nil
	}
	return r.GetEntries()[0].GetOwn().GetAnchors()
}

// encodeAnchors returns the member of an own record's object.
func encodeAnchors(anchors []*receiptpb.Anchor) ([]byte, error) {
	own := &receiptpb.OwnRecord{Anchors: anchors}
	scratch := scratches.Get().(*[]byte)
	defer scratches.Put(scratch)
	message, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend((*scratch)[:0], own)
	if err != nil {
		return nil, err
	}
	if cap(message) <= maxScratch {
		*scratch = message
	}
	if last := lastAnchors.Load(); last != nil && bytes.Equal(last.message, message) {
		return last.json, nil
	}
	raw, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(own)
	if err != nil {
		return nil, err
	}
	member := raw[bytes.Index(raw, anchorsKey) : len(raw)-1] // the last member
	if len(message)+len(member) <= maxAnchorsJSON {
		lastAnchors.Store(&anchorsJSON{bytes.Clone(message), member})
	}
	return member, nil
}

// findAnchors returns where the empty list of anchors is in the JSON of a receipt that has one, unless something else of that name comes before.
func findAnchors(raw []byte) (at, end int, ok bool) {
	if at = bytes.Index(raw, anchorsKey); at < 0 {
		return 0, 0, false
	}
	end = at + len(anchorsKey)
	if bytes.HasPrefix(raw[end:], []byte(" ")) { // protojson chooses its spaces at random
		end++
	}
	if !bytes.HasPrefix(raw[end:], []byte("[]")) {
		return 0, 0, false
	}
	return at, end + len("[]"), true
}

// withoutAnchors returns r without the anchors of its one entry. It shares all else with r.
func withoutAnchors(r *receiptpb.Receipt) *receiptpb.Receipt {
	e := r.GetEntries()[0]
	return &receiptpb.Receipt{
		MediaType: r.GetMediaType(), SubmissionId: r.GetSubmissionId(), VerifiedAt: r.GetVerifiedAt(), Signature: r.GetSignature(), Signers: r.GetSigners(),
		Artifact: r.GetArtifact(), Representation: r.GetRepresentation(), Checks: r.GetChecks(), Notes: r.GetNotes(), Policy: r.GetPolicy(),
		Findings: r.GetFindings(), FormatVersion: r.GetFormatVersion(), Recorded: r.GetRecorded(), Unchecked: r.GetUnchecked(),
		Entries: []*receiptpb.LogEntry{{
			Bundle: e.GetBundle(), Recipe: e.GetRecipe(), Spki: e.GetSpki(), Signature: e.GetSignature(),
			Own: &receiptpb.OwnRecord{Body: e.GetOwn().GetBody(), Proof: e.GetOwn().GetProof()},
		}},
	}
}
