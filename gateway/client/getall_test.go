// SPDX-License-Identifier: Apache-2.0

package client_test

import (
	"errors"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/rekor-gateway/rekor-gateway/gateway/client"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// TestGetAll: all that is there is given with its receipt, in order, and what is not is refused by itself.
func TestGetAll(t *testing.T) {
	g, _ := startGateway(t)
	c := dial(t, serve(t, g))
	first, err := c.Submit(t.Context(), signed(t, "hello"))
	if err != nil {
		t.Fatal(err)
	}
	ids, given := []string{"none", first.GetSubmission().GetId(), "other"}, []string(nil)
	err = c.GetAll(t.Context(), ids, func(id string, s *pb.Submission, err error) {
		given = append(given, id)
		var refusal *client.Error
		if id == ids[1] && (err != nil || s.GetReceiptJson() != first.GetSubmission().GetReceiptJson()) {
			t.Errorf("%v, %v", s, err)
		} else if id != ids[1] && (!errors.As(err, &refusal) || refusal.Reason != "NOT_FOUND" || refusal.Temporary) {
			t.Errorf("%s: %v, %v", id, s, err)
		}
	})
	if err != nil || !slices.Equal(given, ids) {
		t.Errorf("given %q of %q, %v", given, ids, err)
	}
}

// many answers GetSubmissions.
type many struct {
	pb.UnimplementedGatewayServiceServer
	answers []*pb.GetSubmissionsResponse
}

func (m many) GetSubmissions(_ *pb.GetSubmissionsRequest, stream grpc.ServerStreamingServer[pb.GetSubmissionsResponse]) error {
	for _, a := range m.answers {
		if err := stream.Send(a); err != nil {
			return err
		}
	}
	return nil
}

// TestGetAllOfOthers: an older gateway is told apart, and an answer is taken for nothing else than what was asked for.
func TestGetAllOfOthers(t *testing.T) {
	logged := func(id string) *pb.Submission { return &pb.Submission{Id: id, State: pb.Submission_LOGGED} }
	later := &pb.GetSubmissionsResponse{Problem: &pb.Problem{Reason: "RATE_LIMITED"}, RetryAfter: durationpb.New(7e9)}
	for name, x := range map[string]struct {
		answers []*pb.GetSubmissionsResponse
		taken   int
		isWhole func(error) bool
	}{
		"ends early":         {[]*pb.GetSubmissionsResponse{{Submission: logged("a")}}, 1, func(err error) bool { return errors.Is(err, client.ErrConnection) }},
		"of another":         {[]*pb.GetSubmissionsResponse{{Index: 1, Submission: logged("b")}}, 0, func(err error) bool { return err != nil && !errors.Is(err, client.ErrConnection) }},
		"refuses another":    {[]*pb.GetSubmissionsResponse{{Index: 1, Problem: &pb.Problem{}}}, 0, func(err error) bool { return err != nil }},
		"named, but another": {[]*pb.GetSubmissionsResponse{{Submission: logged("b")}, {Index: 1, Submission: logged("b")}}, 2, func(err error) bool { return err == nil }},
		"too many for now":   {[]*pb.GetSubmissionsResponse{later, {Index: 1, Submission: logged("b")}}, 2, func(err error) bool { return err == nil }},
	} {
		t.Run(name, func(t *testing.T) {
			c, taken := dial(t, serveFake(t, many{answers: x.answers})), 0
			err := c.GetAll(t.Context(), []string{"a", "b"}, func(id string, s *pb.Submission, err error) {
				taken++
				var refusal *client.Error
				switch {
				case id == "a" && name == "too many for now":
					if !errors.As(err, &refusal) || !refusal.Temporary || refusal.RetryAfter != 7e9 {
						t.Errorf("%v", err)
					}
				case (err == nil) != (s.GetId() == id):
					t.Errorf("%s is %v, %v", id, s, err)
				}
			})
			if taken != x.taken || !x.isWhole(err) {
				t.Errorf("%d taken, %v", taken, err)
			}
		})
	}
	c := dial(t, serveFake(t, pb.UnimplementedGatewayServiceServer{}))
	if err := c.GetAll(t.Context(), []string{"a"}, nil); !client.IsUnimplemented(err) {
		t.Errorf("an older gateway: %v", err)
	}
}
