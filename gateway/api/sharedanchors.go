// SPDX-License-Identifier: Apache-2.0

package api

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// maxSharedAnchors bounds what a client keeps of an answer for those to come, in bytes of protobuf. It is part of the contract: gateway/client has it too.
const maxSharedAnchors = 256 << 10

// sharedAnchors are those that the client of one GetSubmissions has from an answer before, and puts into receipts that come without: most of the receipts that
// are asked for together rest on one checkpoint.
type sharedAnchors struct {
	wanted bool
	last   []*receiptpb.Anchor // of the last answer with any; nil: there was none, or they are too large
}

// leaveOut takes the anchors out of the answer's receipt where the client has them.
func (s *sharedAnchors) leaveOut(answer *pb.GetSubmissionsResponse) {
	if len(s.last) == 0 {
		return
	}
	r := answer.GetSubmission().GetReceipt()
	if slices.EqualFunc(receipt.AnchorsOf(r), s.last, equalAnchors) {
		r.GetEntries()[0].GetOwn().Anchors = nil // the list is this receipt's own: see Service
		answer.SameAnchors = true
	}
}

// equalAnchors is quick for those of one checkpoint that the own log has read once: proto.Equal compares pointers first.
func equalAnchors(a, b *receiptpb.Anchor) bool { return proto.Equal(a, b) }

// note is told of each answer that is sent, and of no other.
func (s *sharedAnchors) note(answer *pb.GetSubmissionsResponse) {
	anchors := receipt.AnchorsOf(answer.GetSubmission().GetReceipt())
	if !s.wanted || len(anchors) == 0 {
		return
	}
	s.last = nil
	if proto.Size(&receiptpb.OwnRecord{Anchors: anchors}) <= maxSharedAnchors {
		s.last = anchors
	}
}
