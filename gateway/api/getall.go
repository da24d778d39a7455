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
	sent := int32(0)
	send := func(answer *pb.GetSubmissionsResponse) error {
		answer.Index = sent
		sent++
		return stream.Send(answer)
	}
	for ids := range slices.Chunk(r.GetIds(), readTogether) {
		if err := g.answerIDs(ctx, ids, r.GetOmitReceiptJson(), send); err != nil {
			return g.writeError(ctx, err)
		}
	}
	return nil
}

// answerIDs answers those that are read together. Each counts against the caller's rate by itself.
func (g *grpcServer) answerIDs(ctx context.Context, ids []string, omitJSON bool, send func(*pb.GetSubmissionsResponse) error) error {
	var wanted []string
	refused := map[int]error{}
	for i, id := range ids {
		if g.cfg.CountItem != nil {
			refused[i] = g.cfg.CountItem(ctx)
		}
		if refused[i] == nil {
			wanted = append(wanted, id)
		}
	}
	found, err := g.service.GetAll(ctx, tenantOf(ctx), wanted)
	if err != nil {
		return err
	}
	kept := gateway.HeldFrom(ctx).Part()
	defer kept.Close()
	if err := kept.Grow(max(0, sizeOfArchived(found)-gateway.MostArchived)); err != nil {
		return err
	}
	for i, id := range ids {
		if err := g.answerID(ctx, found[id], refused[i], omitJSON, send); err != nil {
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
func (g *grpcServer) answerID(ctx context.Context, sub gateway.Submission, refused error, omitJSON bool, send func(*pb.GetSubmissionsResponse) error) error {
	held := gateway.HeldFrom(ctx).Part()
	defer held.Close()
	ctx = gateway.WithHeld(ctx, held)
	answer, err := new(pb.GetSubmissionsResponse), refused
	if err == nil && sub.ID == "" {
		err = gateway.ErrNotFound
	}
	if err == nil {
		answer.Submission, err = buildMessage(ctx, g.answers, func() (*pb.Submission, error) { return convertForGRPC(ctx, g.service, sub, omitJSON) })
	}
	if err != nil && ctx.Err() != nil {
		return err
	}
	if err != nil {
		g.refuseID(ctx, answer, err)
	}
	return send(answer)
}

func (g *grpcServer) refuseID(ctx context.Context, answer *pb.GetSubmissionsResponse, err error) {
	p := problem.FromError(err)
	p.LogCause(ctx, g.cfg.Logger, err)
	g.cfg.Refused(formats.Reason(p.Reason))
	answer.Problem = convertProblem(err)
	if p.RetryAfter > 0 {
		answer.RetryAfter = durationpb.New(p.RetryAfter)
	}
}
