// SPDX-License-Identifier: Apache-2.0

package client_test

import (
	"context"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api"
	"github.com/rekor-gateway/rekor-gateway/gateway/client"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt/receipttest"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// atHand has found its submissions already, and what proves them: what a store and an own log take is not measured.
type atHand struct {
	api.Service
	skeleton *receiptpb.Receipt
	proof    receipt.Proof
}

func (s atHand) Receipt(context.Context, gateway.Submission) (*receiptpb.Receipt, error) {
	return receipt.Complete(s.skeleton, []receipt.Proof{s.proof})
}

func (s atHand) GetAll(_ context.Context, _ string, ids []string) (map[string]gateway.Submission, error) {
	all := make(map[string]gateway.Submission, len(ids))
	for _, id := range ids {
		all[id] = gateway.Submission{SubmissionFields: gateway.SubmissionFields{ID: id}, State: gateway.Logged}
	}
	return all, nil
}

// BenchmarkGetAll asks for 100 receipts of one checkpoint in each call, from a gateway in the same process, with their anchors in each answer and in the first
// alone. It reports the time and the bytes of answers for each receipt.
func BenchmarkGetAll(b *testing.B) {
	g, _ := startGateway(b)
	r := receipttest.Corpus(b, "own-x509-p256")
	own := r.Entries[0].Own
	r.Entries[0].Own = nil
	replica, ids := serve(b, atHand{g, r, receipt.Proof{Kind: receipt.KindOwnRecord, Own: own, Body: own.GetBody()}}), make([]string, client.MaxIDs)
	for i := range ids {
		ids[i] = "id"
	}
	for name, older := range map[string]bool{"each": true, "shared": false} {
		b.Run(name, func(b *testing.B) {
			shared, size := 0, int64(0)
			c := dialWith(b, answers{older: older, shared: &shared}.config(true), replica)
			getAll(b, dialWith(b, answers{older: older, shared: new(int), bytes: &size}.config(true), replica), ids)
			for b.Loop() {
				getAll(b, c, ids)
			}
			if older != (shared == 0) {
				b.Fatalf("%d have no anchors of their own", shared)
			}
			n := float64(len(ids))
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/receipt")
			b.ReportMetric(float64(size)/n, "B/receipt")
		})
	}
}

func getAll(b *testing.B, c *client.Client, ids []string) {
	b.Helper()
	got := 0
	err := c.GetAll(b.Context(), ids, func(_ string, s *pb.Submission, err error) {
		if err == nil && len(s.GetReceipt().GetEntries()[0].GetOwn().GetAnchors()) > 0 {
			got++
		}
	})
	if err != nil || got != len(ids) {
		b.Fatalf("%d receipts of %d, %v", got, len(ids), err)
	}
}
