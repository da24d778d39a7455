// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"
	"slices"

	"google.golang.org/protobuf/proto"

	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// maxSharedAnchors bounds what is kept of an answer for those to come, in bytes of protobuf. It is part of the contract: larger ones are never left out.
const maxSharedAnchors = 256 << 10

// sharedAnchors are those of the last answer of a GetSubmissions with any, which are left out of answers with the same. nil: there was none, or they are too large.
type sharedAnchors []*receiptpb.Anchor

// putIn completes the receipt of an answer whose anchors are left out, and keeps those of any other for the answers to come.
func (s *sharedAnchors) putIn(answer *pb.GetSubmissionsResponse) error {
	own := ownRecordOf(answer.GetSubmission().GetReceipt())
	switch has := len(own.GetAnchors()) > 0; {
	case !answer.GetSameAnchors():
		if has {
			s.keep(own.GetAnchors())
		}
		return nil
	case own == nil || has:
		return errors.New("the answer says that its receipt lacks anchors, and there is none that does")
	case len(*s) == 0:
		return errors.New("the answer says that its anchors are those of one before, and none had any")
	}
	own.Anchors = slices.Clone(*s)
	return nil
}

// keep keeps a list of its own: that in the answer is for whoever gets it.
func (s *sharedAnchors) keep(anchors []*receiptpb.Anchor) {
	*s = nil
	if proto.Size(&receiptpb.OwnRecord{Anchors: anchors}) <= maxSharedAnchors {
		*s = slices.Clone(anchors)
	}
}

// ownRecordOf returns the record of a receipt with one entry, in an own log; nil of any other.
func ownRecordOf(r *receiptpb.Receipt) *receiptpb.OwnRecord {
	if len(r.GetEntries()) != 1 {
		return nil
	}
	return r.GetEntries()[0].GetOwn()
}
