// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// readTogether is how many submissions of a GetSubmissions are read from the store at once.
const readTogether = 25

// GetSubmissions answers one submission after the other, so that it holds no more than one answer beside what it has read for the next ones.
func (g *grpcServer) GetSubmissions(r *pb.GetSubmissionsRequest, stream grpc.ServerStreamingServer[pb.GetSubmissionsResponse]) error {
	ctx := stream.Context()
	if n := len(r.GetIds()); n == 0 || n > upload.MaxIDs {
		return g.writeError(ctx, problem.Malformed(fmt.Sprintf("there are %d ids", n), fmt.Sprintf("send 1 to %d", upload.MaxIDs)))
	}
	if err := gateway.HeldFrom(ctx).Grow(gateway.MostArchived); err != nil {
		return g.writeError(ctx, err)
	}
	answers := manyAnswers{grpcServer: g, stream: stream, omitJSON: r.GetOmitReceiptJson(), anchors: sharedAnchors{wanted: r.GetShareAnchors()}}
	for ids := range slices.Chunk(r.GetIds(), readTogether) {
		if err := answers.answerIDs(ctx, ids); err != nil {
			return g.writeError(ctx, err)
		}
	}
	return nil
}

// manyAnswers are those to one call of GetSubmissions.
type manyAnswers struct {
	*grpcServer
	stream   grpc.ServerStreamingServer[pb.GetSubmissionsResponse]
	omitJSON bool
	anchors  sharedAnchors
	sent     int32
}

// answerIDs answers those that are read together. Each counts against the caller's rate by itself.
func (m *manyAnswers) answerIDs(ctx context.Context, ids []string) error {
	var wanted []string
	refused := map[int]error{}
	for i, id := range ids {
		if m.cfg.CountItem != nil {
			refused[i] = m.cfg.CountItem(ctx)
		}
		if refused[i] == nil {
			wanted = append(wanted, id)
		}
	}
	found, err := m.service.GetAll(ctx, tenantOf(ctx), wanted)
	if err != nil {
		return err
	}
	kept := gateway.HeldFrom(ctx).Part()
	defer kept.Close()
	if err := kept.Grow(max(0, sizeOfArchived(found)-gateway.MostArchived)); err != nil {
		return err
	}
	for i, id := range ids {
		if err := m.answerID(ctx, found[id], refused[i]); err != nil {
			return err
		}
	}
	return nil
}

// sizeOfArchived returns how many bytes are cold of what was found, and wait with it: that of the first one has no bound of its own.
func sizeOfArchived(found map[string]gateway.Submission) (size int64) {
	for _, sub := range found {
		if sub.Archived == nil {
			continue
		}
		size += int64(proto.Size(sub.Archived.Receipt))
		for _, e := range sub.Archived.Entries {
			size += int64(len(e.Body))
			if e.Inclusion != nil {
				size += int64(len(e.Inclusion.Proof))
			}
		}
	}
	return size
}

// answerID answers one, which counts as held until it is sent. Without an ID, it was not found. One of which no answer can be made concerns no other.
func (m *manyAnswers) answerID(ctx context.Context, sub gateway.Submission, refused error) error {
	held := gateway.HeldFrom(ctx).Part()
	defer held.Close()
	ctx = gateway.WithHeld(ctx, held)
	err := refused
	if err == nil && sub.ID == "" {
		err = gateway.ErrNotFound
	}
	var answer *pb.GetSubmissionsResponse
	if err == nil {
		answer, err = buildMessage(ctx, m.answers, func() (*pb.GetSubmissionsResponse, error) {
			converted, err := convertForGRPC(ctx, m.service, sub, m.omitJSON)
			answer := &pb.GetSubmissionsResponse{Submission: converted}
			m.anchors.leaveOut(answer)
			return answer, err
		})
	}
	if err != nil && ctx.Err() != nil {
		return err
	}
	if err != nil {
		answer = m.refuseID(ctx, err)
	}
	return m.send(answer)
}

func (m *manyAnswers) send(answer *pb.GetSubmissionsResponse) error {
	answer.Index = m.sent
	m.sent++
	m.anchors.note(answer)
	return m.stream.Send(answer)
}

func (m *manyAnswers) refuseID(ctx context.Context, err error) *pb.GetSubmissionsResponse {
	p := problem.FromError(err)
	p.LogCause(ctx, m.cfg.Logger, err)
	m.cfg.Refused(formats.Reason(p.Reason))
	answer := &pb.GetSubmissionsResponse{Problem: convertProblem(err)}
	if p.RetryAfter > 0 {
		answer.RetryAfter = durationpb.New(p.RetryAfter)
	}
	return answer
}
