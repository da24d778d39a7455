// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// receiveAll returns the answers to a call of GetSubmissions, and what ended it: nil where that is its end.
func receiveAll(t *testing.T, c pb.GatewayServiceClient, r *pb.GetSubmissionsRequest) (all []*pb.GetSubmissionsResponse, err error) {
	t.Helper()
	stream, err := c.GetSubmissions(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, answer)
	}
}

// TestGetSubmissions: each is answered in its turn, as GetSubmission would, and one that is not there concerns no other.
func TestGetSubmissions(t *testing.T) {
	c := dial(t, gatewaytest.NewLog())
	var ids []string
	for _, text := range []string{"one", "two", "three"} {
		stored, err := send(t, c, startMessage(headerMessage(gatewaytest.Signed(t, text))), chunk([]byte(text)))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, stored.GetSubmission().GetId(), "none")
	}
	ids = slices.Repeat(ids, 5) // more than are read together
	for _, omit := range []bool{false, true} {
		all, err := receiveAll(t, c, &pb.GetSubmissionsRequest{Ids: ids, OmitReceiptJson: omit})
		if err != nil || len(all) != len(ids) {
			t.Fatalf("%d answers to %d, %v", len(all), len(ids), err)
		}
		for i, answer := range all {
			if int(answer.GetIndex()) != i {
				t.Errorf("answer %d is about %d", i, answer.GetIndex())
			}
			if ids[i] == "none" {
				if answer.GetProblem().GetReason() != "NOT_FOUND" || answer.GetSubmission() != nil || answer.GetRetryAfter() != nil {
					t.Errorf("one that is not there: %v", answer)
				}
				continue
			}
			want, err := c.GetSubmission(t.Context(), &pb.GetSubmissionRequest{Id: ids[i], OmitReceiptJson: omit})
			if err != nil || want.GetSubmission().GetReceipt() == nil || answer.GetProblem() != nil || !proto.Equal(answer.GetSubmission(), want.GetSubmission()) {
				t.Errorf("%v, want %v, %v", answer, want, err)
			}
		}
	}
}

// largeReceipts finds one Logged submission, with a receipt of so many bytes, whatever is asked for beside it.
type largeReceipts struct {
	Service
	id   string
	size int
}

func (s largeReceipts) GetAll(context.Context, string, []string) (map[string]gateway.Submission, error) {
	cold := gateway.Archived{Receipt: &receiptpb.Receipt{Signature: &receiptpb.Signature{Content: make([]byte, s.size)}}}
	return map[string]gateway.Submission{s.id: {SubmissionFields: gateway.SubmissionFields{ID: s.id}, State: gateway.Failed, Archived: &cold}}, nil
}

// TestGetSubmissionsCountsWhatWaits: what is read for the answers to come counts, too, while the client takes its time for those before.
func TestGetSubmissionsCountsWhatWaits(t *testing.T) {
	for size, want := range map[int]string{100 << 10: "", 8 << 20: "MEMORY_FULL"} {
		c := dialWith(t, largeReceipts{start(t, gatewaytest.NewLog()), "large", size}, gateway.NewMemory(4<<20), GRPCConfig{})
		all, err := receiveAll(t, c, &pb.GetSubmissionsRequest{Ids: []string{"none", "large"}})
		if problem.GRPCReason(err) != want || (want == "") != (len(all) == 2) {
			t.Errorf("%d bytes: %d answers, %v", size, len(all), err)
		}
	}
}

// brokenReceipt has one submission whose receipt cannot be made.
type brokenReceipt struct {
	Service
	id string
}

func (s *brokenReceipt) Receipt(ctx context.Context, sub gateway.Submission) (*receiptpb.Receipt, error) {
	if sub.ID == s.id {
		return nil, errors.New("its entries are damaged")
	}
	return s.Service.Receipt(ctx, sub)
}

// TestGetSubmissionsWithADamagedOne: a receipt that cannot be made concerns no other.
func TestGetSubmissionsWithADamagedOne(t *testing.T) {
	service := &brokenReceipt{Service: start(t, gatewaytest.NewLog())}
	c := dialWith(t, service, gateway.NewMemory(64<<20), GRPCConfig{})
	var ids []string
	for _, text := range []string{"one", "two", "three"} {
		stored, err := send(t, c, startMessage(headerMessage(gatewaytest.Signed(t, text))), chunk([]byte(text)))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, stored.GetSubmission().GetId())
	}
	service.id = ids[1]
	all, err := receiveAll(t, c, &pb.GetSubmissionsRequest{Ids: ids})
	if err != nil || len(all) != len(ids) {
		t.Fatalf("%d answers to %d, %v", len(all), len(ids), err)
	}
	for i, answer := range all {
		if broken := i == 1; (answer.GetSubmission() == nil) != broken || broken && answer.GetProblem().GetReason() != "INTERNAL" {
			t.Errorf("answer %d is %v", i, answer)
		}
	}
}

// TestGetSubmissionsBounds: their number is bounded, each counts against the rate limit, and what is read is counted before.
func TestGetSubmissionsBounds(t *testing.T) {
	left := 3
	c := dialWith(t, start(t, gatewaytest.NewLog()), gateway.NewMemory(64<<20), GRPCConfig{CountItem: func(context.Context) error {
		if left--; left < 0 {
			return gateway.ErrMemoryFull
		}
		return nil
	}})
	for _, n := range []int{0, upload.MaxIDs + 1} {
		all, err := receiveAll(t, c, &pb.GetSubmissionsRequest{Ids: make([]string, n)})
		if len(all) != 0 || status.Code(err) != codes.InvalidArgument || problem.GRPCReason(err) != "MALFORMED_REQUEST" {
			t.Errorf("%d ids: %d answers, %v", n, len(all), err)
		}
	}
	all, err := receiveAll(t, c, &pb.GetSubmissionsRequest{Ids: make([]string, upload.MaxIDs)})
	if err != nil || len(all) != upload.MaxIDs {
		t.Fatalf("%d answers, %v", len(all), err)
	}
	for i, answer := range all {
		want := "MEMORY_FULL"
		if i < 3 {
			want = "NOT_FOUND"
		}
		if answer.GetProblem().GetReason() != want || (answer.GetRetryAfter() != nil) != (i >= 3) {
			t.Errorf("answer %d is %v, want %s", i, answer, want)
		}
	}
	if left != 3-upload.MaxIDs {
		t.Errorf("%d of %d were counted", 3-left, upload.MaxIDs)
	}
	small := dialWith(t, start(t, gatewaytest.NewLog()), gateway.NewMemory(gateway.MostArchived/2), GRPCConfig{})
	if _, err := receiveAll(t, small, &pb.GetSubmissionsRequest{Ids: []string{"none"}}); problem.GRPCReason(err) != "MEMORY_FULL" {
		t.Errorf("without the memory for what is read together: %v", err)
	}
}
