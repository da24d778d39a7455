// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"

	"google.golang.org/protobuf/proto"

	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// wantTogether checks that submissions that are asked for in one call are those that are asked for alone, byte for byte, and that some of them share their anchors.
func (r *running) wantTogether(ids []string) {
	r.t.Helper()
	stream := must(pb.NewGatewayServiceClient(r.dial()).GetSubmissions(r.t.Context(), &pb.GetSubmissionsRequest{Ids: ids, ShareAnchors: true}))
	shared := 0
	for range ids {
		if must(stream.Recv()).GetSameAnchors() {
			shared++
		}
	}
	if shared < len(ids)/2 {
		r.t.Errorf("%d of %d receipts share their anchors", shared, len(ids))
	}
	c := r.call()
	encode := func(s *pb.Submission) []byte { return must(proto.MarshalOptions{Deterministic: true}.Marshal(s)) }
	err := c.GetAll(r.t.Context(), ids, func(id string, s *pb.Submission, err error) {
		if alone := must(c.Get(r.t.Context(), id)); err != nil || !bytes.Equal(encode(s), encode(alone)) {
			r.t.Errorf("%v, %v, want %v", s, err, alone)
		}
	})
	if err != nil {
		r.t.Error(err)
	}
}
