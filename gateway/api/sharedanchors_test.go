// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"slices"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt/receipttest"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// anchoredReceipts has Logged submissions, by their IDs, with these receipts.
type anchoredReceipts struct {
	Service
	receipts map[string]*receiptpb.Receipt
}

func (s anchoredReceipts) GetAll(_ context.Context, _ string, ids []string) (map[string]gateway.Submission, error) {
	all := map[string]gateway.Submission{}
	for _, id := range ids {
		if s.receipts[id] != nil {
			all[id] = gateway.Submission{SubmissionFields: gateway.SubmissionFields{ID: id}, State: gateway.Logged}
		}
	}
	return all, nil
}

// Receipt shares the anchors, as a receipt for a record in an own log does.
func (s anchoredReceipts) Receipt(_ context.Context, sub gateway.Submission) (*receiptpb.Receipt, error) {
	skeleton := proto.CloneOf(s.receipts[sub.ID])
	var proofs []receipt.Proof
	for i, e := range s.receipts[sub.ID].GetEntries() {
		skeleton.Entries[i].Own = nil
		proofs = append(proofs, receipt.Proof{Kind: receipt.KindOwnRecord, Own: e.GetOwn(), Body: e.GetOwn().GetBody()})
	}
	return receipt.Complete(skeleton, proofs)
}

// startAnchored starts a gateway with two receipts of one checkpoint (a, b), one of them read twice (c), two of other checkpoints (d, which is large, and
// e), one with two entries (two), and one that is large (large).
func startAnchored(t testing.TB) anchoredReceipts {
	t.Helper()
	read := func(name string) *receiptpb.Receipt { return receipttest.Corpus(t, name) }
	s := anchoredReceipts{start(t, gatewaytest.NewLog()), map[string]*receiptpb.Receipt{
		"a": read("own-x509-p256"), "b": read("own-pgp-rsa3072"), "d": read("own-minisign"), "e": read("own-two-anchors"), "two": read("own-pgp-mixed"),
	}}
	s.receipts["b"].Entries[0].Own.Anchors = s.receipts["a"].Entries[0].Own.Anchors
	s.receipts["c"], s.receipts["large"] = proto.CloneOf(s.receipts["a"]), proto.CloneOf(s.receipts["a"])
	s.receipts["d"].Entries[0].Own.Anchors[0].Spki = make([]byte, maxSharedAnchors)
	s.receipts["large"].Signature.Content = make([]byte, 8<<20)
	return s
}

// askAnchored asks for all of ids, and returns which answers have no anchors of their own. Each is held to what it is to be with them.
func askAnchored(t *testing.T, c pb.GatewayServiceClient, s anchoredReceipts, share bool, ids ...string) (shared []int) {
	t.Helper()
	all, err := receiveAll(t, c, &pb.GetSubmissionsRequest{Ids: ids, OmitReceiptJson: len(ids)%2 == 0, ShareAnchors: share})
	if err != nil || len(all) != len(ids) {
		t.Fatalf("%d answers to %q, %v", len(all), ids, err)
	}
	for i, answer := range all {
		r, want := answer.GetSubmission().GetReceipt(), s.receipts[ids[i]]
		switch {
		case answer.GetSameAnchors():
			shared = append(shared, i)
			if want = proto.CloneOf(want); len(want.GetEntries()) == 1 {
				want.Entries[0].Own.Anchors = nil
			}
		case answer.GetProblem() != nil:
			continue
		}
		if !proto.Equal(r, want) {
			t.Errorf("of %q, %s is %v", ids, ids[i], answer)
		}
		if len(ids)%2 == 0 {
			continue
		}
		raw, err := receipt.Marshal(s.receipts[ids[i]])
		if err != nil || answer.GetSubmission().GetReceiptJson() != string(raw) {
			t.Errorf("of %q, %s has the JSON %.80q", ids, ids[i], answer.GetSubmission().GetReceiptJson())
		}
	}
	return shared
}

// TestGetSubmissionsSharesAnchors: anchors are left out where those before them are the same, and where the caller asks for it alone. The receipts that share
// them are not changed.
func TestGetSubmissionsSharesAnchors(t *testing.T) {
	t.Parallel()
	s := startAnchored(t)
	c := dialWith(t, s, gateway.NewMemory(1<<30), GRPCConfig{})
	before := map[string]*receiptpb.Receipt{}
	for id, r := range s.receipts {
		before[id] = proto.CloneOf(r)
	}
	var asking sync.WaitGroup
	for _, x := range []struct {
		ids  []string
		want []int
	}{
		{[]string{"a", "b", "a"}, []int{1, 2}},
		{[]string{"a", "c", "b", "c"}, []int{1, 2, 3}},
		{[]string{"a", "none", "b"}, []int{2}},
		{[]string{"none", "a"}, nil},
		{[]string{"a", "e", "a", "e", "e"}, []int{4}},
		{[]string{"two", "two", "a", "two", "b"}, []int{4}},
		{[]string{"d", "d"}, nil},
		{[]string{"a", "d", "a", "b"}, []int{3}},
		{slices.Repeat([]string{"a", "b"}, readTogether), rangeOf(1, 2*readTogether)},
	} {
		for range 2 {
			asking.Go(func() {
				if got := askAnchored(t, c, s, true, x.ids...); !slices.Equal(got, x.want) {
					t.Errorf("%q: %v have no anchors, want %v", x.ids, got, x.want)
				}
				if got := askAnchored(t, c, s, false, x.ids...); got != nil {
					t.Errorf("%q, all of them: %v have no anchors", x.ids, got)
				}
			})
		}
	}
	asking.Wait()
	for id, r := range s.receipts {
		if !proto.Equal(r, before[id]) {
			t.Errorf("%s was changed", id)
		}
	}
}

func rangeOf(from, to int) (all []int) {
	for i := from; i < to; i++ {
		all = append(all, i)
	}
	return all
}

// TestGetSubmissionsSharesWhatWasSent: the caller has no anchors of an answer that there was no memory for.
func TestGetSubmissionsSharesWhatWasSent(t *testing.T) {
	t.Parallel()
	s := startAnchored(t)
	c := dialWith(t, s, gateway.NewMemory(4<<20), GRPCConfig{})
	all, err := receiveAll(t, c, &pb.GetSubmissionsRequest{Ids: []string{"large", "a", "b"}, OmitReceiptJson: true, ShareAnchors: true})
	if err != nil || len(all) != 3 || all[0].GetProblem().GetReason() != "MEMORY_FULL" {
		t.Fatalf("%v, %v", all, err)
	}
	if all[0].GetSameAnchors() || all[1].GetSameAnchors() || !all[2].GetSameAnchors() || !proto.Equal(all[1].GetSubmission().GetReceipt(), s.receipts["a"]) {
		t.Errorf("%v", all)
	}
}
