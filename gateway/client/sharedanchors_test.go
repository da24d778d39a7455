// SPDX-License-Identifier: Apache-2.0

package client_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api"
	"github.com/rekor-gateway/rekor-gateway/gateway/client"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt/receipttest"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// withReceipts has other receipts for its submissions, by their IDs; nil: it cannot be made.
type withReceipts struct {
	api.Service
	receipts map[string]*receiptpb.Receipt
}

// Receipt is made as a gateway makes it: the anchors are those of others too.
func (s withReceipts) Receipt(ctx context.Context, sub gateway.Submission) (*receiptpb.Receipt, error) {
	kept, known := s.receipts[sub.ID]
	switch {
	case !known:
		return s.Service.Receipt(ctx, sub)
	case kept == nil:
		return nil, errors.New("its entries are damaged")
	}
	made := proto.CloneOf(kept)
	for i, e := range kept.GetEntries() {
		if own := made.GetEntries()[i].GetOwn(); own != nil {
			own.Anchors = slices.Clone(e.GetOwn().GetAnchors())
		}
	}
	return made, nil
}

// answers counts what comes from a gateway, and has it asked as an older client asks.
type answers struct {
	grpc.ClientStream
	older  bool
	shared *int
	bytes  *int64 // nil: they are not counted
}

func (a answers) SendMsg(m any) error {
	if r, ok := m.(*pb.GetSubmissionsRequest); ok && a.older {
		r.ShareAnchors = false
	}
	return a.ClientStream.SendMsg(m)
}

func (a answers) RecvMsg(m any) error {
	err := a.ClientStream.RecvMsg(m)
	if answer, ok := m.(*pb.GetSubmissionsResponse); ok && err == nil {
		if a.bytes != nil {
			*a.bytes += int64(proto.Size(answer))
		}
		if answer.GetSameAnchors() {
			*a.shared++
		}
	}
	return err
}

func (a answers) intercept(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, stream grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := stream(ctx, desc, cc, method, options...)
	a.ClientStream = s
	return a, err
}

func (a answers) config(omitJSON bool) client.Config {
	return client.Config{
		Retries: client.Retries{Patience: time.Minute}, OmitReceiptJSON: omitJSON, DialOptions: []grpc.DialOption{grpc.WithChainStreamInterceptor(a.intercept)},
	}
}

// encodeAll returns what says the same in the same bytes.
func encodeAll(t testing.TB, s *pb.Submission) []byte {
	t.Helper()
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// serveReceipts starts a gateway with a submission for each of the receipts, and returns their IDs.
func serveReceipts(t testing.TB, receipts ...*receiptpb.Receipt) (*replica, []string) {
	t.Helper()
	g, _ := startGateway(t)
	service := withReceipts{g, map[string]*receiptpb.Receipt{}}
	r := serve(t, service)
	c, ids := dial(t, r), []string(nil)
	for i := range receipts {
		one := signed(t, strings.Repeat("x", i))
		one.Wait = 0
		stored, err := c.Submit(t.Context(), one)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, stored.GetSubmission().GetId())
	}
	for _, id := range ids {
		waitFor(t, func() bool {
			s, err := c.Get(t.Context(), id)
			return err == nil && s.GetState() == pb.Submission_LOGGED
		})
	}
	for i, id := range ids {
		service.receipts[id] = receipts[i]
	}
	return r, ids
}

// growAnchors has the anchors of a receipt take so many bytes.
func growAnchors(r *receiptpb.Receipt, size int) {
	own := &receiptpb.OwnRecord{Anchors: r.GetEntries()[0].GetOwn().GetAnchors()}
	for proto.Size(own) != size { // lengths take bytes, too
		own.Anchors[0].Spki = make([]byte, len(own.Anchors[0].Spki)+size-proto.Size(own))
	}
}

// TestGetAllSharesAnchors: whatever receipts come one after the other, each is byte for byte as if it was asked for alone, also from a gateway that leaves out
// none. What the caller does with one concerns no other.
func TestGetAllSharesAnchors(t *testing.T) {
	t.Parallel()
	one, same, fits, large := receipttest.Corpus(t, "own-x509-p256"), receipttest.Corpus(t, "own-pgp-rsa3072"), receipttest.Corpus(t, "own-minisign"), receipttest.Corpus(t, "own-ssh-ed25519")
	same.Entries[0].Own.Anchors = one.Entries[0].Own.Anchors // as receipts of one checkpoint have them
	growAnchors(fits, client.MaxSharedAnchors)
	growAnchors(large, client.MaxSharedAnchors+1)
	replica, ids := serveReceipts(t, one, same, proto.CloneOf(one), receipttest.Corpus(t, "own-two-anchors"), receipttest.Corpus(t, "own-pgp-mixed"), fits, large, nil, receipttest.Corpus(t, "pgp-ed25519"))
	ids = append(ids, "none")
	for _, omit := range []bool{false, true} {
		whole := map[string][]byte{}
		for _, id := range ids {
			s, err := dialWith(t, client.Config{OmitReceiptJSON: omit}, replica).Get(t.Context(), id)
			if err == nil {
				whole[id] = encodeAll(t, s)
			}
		}
		if len(whole) != len(ids)-2 {
			t.Fatalf("%d of %d have receipts", len(whole), len(ids))
		}
		n := 2 * len(ids) // JSON of large ones takes its time
		if omit {
			n = client.MaxIDs
		}
		for _, older := range []bool{false, true} {
			shared := 0
			c := dialWith(t, answers{older: older, shared: &shared}.config(omit), replica)
			asked := slices.Concat(ids[:2], make([]string, n-2)) // two that have the same
			for i := 2; i < n; i++ {
				asked[i] = ids[rand.IntN(len(ids))]
			}
			err := c.GetAll(t.Context(), asked, func(id string, s *pb.Submission, err error) {
				if (err == nil) != (whole[id] != nil) || err == nil && !bytes.Equal(encodeAll(t, s), whole[id]) {
					t.Errorf("of %v, %s is %v, %v", asked, id, s, err)
				}
				for _, e := range s.GetReceipt().GetEntries() {
					clear(e.GetOwn().GetAnchors())
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if older != (shared == 0) {
				t.Errorf("an older one: %v; %d have no anchors of their own", older, shared)
			}
		}
	}
}

// TestGetAllKeepsAnchorsOnce: receipts of one checkpoint have the same anchors in memory, unless they are large.
func TestGetAllKeepsAnchorsOnce(t *testing.T) {
	t.Parallel()
	one, fits, large := receipttest.Corpus(t, "own-x509-p256"), receipttest.Corpus(t, "own-minisign"), receipttest.Corpus(t, "own-ssh-ed25519")
	growAnchors(fits, client.MaxSharedAnchors)
	growAnchors(large, client.MaxSharedAnchors+1)
	replica, ids := serveReceipts(t, one, fits, large)
	asked, places := slices.Concat(slices.Repeat(ids[:1], 3), slices.Repeat(ids[1:2], 3), slices.Repeat(ids[2:], 3)), map[string]map[*receiptpb.Anchor]bool{}
	err := dialWith(t, client.Config{OmitReceiptJSON: true}, replica).GetAll(t.Context(), asked, func(id string, s *pb.Submission, err error) {
		if err != nil {
			t.Fatal(err)
		}
		if places[id] == nil {
			places[id] = map[*receiptpb.Anchor]bool{}
		}
		places[id][s.GetReceipt().GetEntries()[0].GetOwn().GetAnchors()[0]] = true
	})
	if err != nil || len(places[ids[0]]) != 1 || len(places[ids[1]]) != 1 || len(places[ids[2]]) != 3 {
		t.Errorf("%v, %v", places, err)
	}
}

// TestGetAllWithoutAnchors: an answer that leaves out anchors which were not there, or in which there is no place for them, is nobody's.
func TestGetAllWithoutAnchors(t *testing.T) {
	t.Parallel()
	of := func(index int32, same bool, change func(*receiptpb.Receipt)) *pb.GetSubmissionsResponse {
		r := receipttest.Corpus(t, "own-x509-p256")
		change(r)
		return &pb.GetSubmissionsResponse{Index: index, SameAnchors: same, Submission: &pb.Submission{Id: "a", State: pb.Submission_LOGGED, Receipt: r}}
	}
	whole := func(*receiptpb.Receipt) {}
	bare := func(r *receiptpb.Receipt) { r.Entries[0].Own.Anchors = nil }
	direct := func(r *receiptpb.Receipt) { r.Entries[0].Own = nil }
	twice := func(r *receiptpb.Receipt) { r.Entries = append(r.Entries, proto.CloneOf(r.Entries[0])) }
	large := func(r *receiptpb.Receipt) { growAnchors(r, client.MaxSharedAnchors+1) }
	for name, all := range map[string][]*pb.GetSubmissionsResponse{
		"the first":            {of(0, true, bare)},
		"after a direct one":   {of(0, false, direct), of(1, true, bare)},
		"after one of two":     {of(0, false, twice), of(1, true, bare)},
		"after large ones":     {of(0, false, whole), of(1, false, large), of(2, true, bare)},
		"after none":           {of(0, false, bare), of(1, true, bare)},
		"with them":            {of(0, false, whole), of(1, true, whole)},
		"a direct one":         {of(0, false, whole), of(1, true, direct)},
		"of two":               {of(0, false, whole), of(1, true, func(r *receiptpb.Receipt) { bare(r); twice(r) })},
		"of none":              {of(0, false, whole), of(1, true, func(r *receiptpb.Receipt) { r.Entries = nil })},
		"an empty entry":       {of(0, false, whole), of(1, true, func(r *receiptpb.Receipt) { r.Entries = []*receiptpb.LogEntry{{}} })},
		"without a receipt":    {of(0, false, whole), {Index: 1, SameAnchors: true, Submission: &pb.Submission{Id: "a", State: pb.Submission_LOGGED}}},
		"without a submission": {of(0, false, whole), {Index: 1, SameAnchors: true}},
		"refused":              {of(0, false, whole), {Index: 1, SameAnchors: true, Problem: &pb.Problem{Reason: "NOT_FOUND"}}},
	} {
		t.Run(name, func(t *testing.T) {
			taken := 0
			err := dial(t, serveFake(t, many{answers: all})).GetAll(t.Context(), slices.Repeat([]string{"a"}, len(all)), func(_ string, _ *pb.Submission, err error) {
				taken++
				if err != nil {
					t.Error(err)
				}
			})
			if err == nil || errors.Is(err, client.ErrConnection) || client.IsUnimplemented(err) || !strings.Contains(err.Error(), "anchors") || taken != len(all)-1 {
				t.Errorf("%d of %d are taken, %v", taken, len(all), err)
			}
		})
	}
}
