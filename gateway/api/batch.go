// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// SubmitBatch answers each submission once it is durable; it does not wait for the log. Whoever takes no answers is read no
// further: an answer that cannot be sent keeps its submission's place.
func (g *grpcServer) SubmitBatch(stream grpc.BidiStreamingServer[pb.SubmitBatchRequest, pb.SubmitBatchResponse]) error {
	b := newBatch(g, stream)
	defer b.fail(nil)
	err := b.receiveAll()
	b.artifact.End(b.ctx, err)
	b.crew.dismiss()
	if failed := b.failure(); failed != nil {
		err = failed
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return g.writeError(stream.Context(), err)
}

// batch is one SubmitBatch stream. Its submissions are worked on in parallel, and each is refused by itself.
type batch struct {
	server  *grpcServer
	stream  grpc.BidiStreamingServer[pb.SubmitBatchRequest, pb.SubmitBatchResponse]
	call    *upload.Call
	ctx     context.Context // of the stream; it ends when an answer cannot be sent
	fail    context.CancelCauseFunc
	crew    *crew
	sending sync.Mutex // gRPC takes one answer at a time
	causes  causes

	// artifact is the one that comes in chunks, or came last; nil before the first. It is the receiver's.
	artifact *upload.Chunks
}

func newBatch(g *grpcServer, stream grpc.BidiStreamingServer[pb.SubmitBatchRequest, pb.SubmitBatchResponse]) *batch {
	b := &batch{server: g, stream: stream, call: upload.CallFrom(stream.Context())}
	b.ctx, b.fail = context.WithCancelCause(stream.Context())
	b.crew = newCrew(b.ctx, g.cfg.Batches)
	b.call.Relieve, b.call.Unhurried = b.crew.awaitOthers, true
	return b
}

// failure returns why an answer could not be sent, or nil.
func (b *batch) failure() error {
	if b.ctx.Err() == nil || b.stream.Context().Err() != nil {
		return nil
	}
	return context.Cause(b.ctx)
}

// receiveAll starts work on each submission as it comes, and returns what ended the stream: io.EOF as a rule.
func (b *batch) receiveAll() error {
	for {
		r := new(pb.SubmitBatchRequest)
		b.call.Unhurried = !b.artifact.IsAwaited()
		held, err := b.call.Receive(r)
		if err != nil {
			return err
		}
		if err := b.takeMessage(r, held); err != nil {
			held.Close()
			return err
		}
	}
}

// takeMessage starts what r starts, or hands it to whoever reads the artifact that it is a part of. It closes held, unless it
// fails.
func (b *batch) takeMessage(r *pb.SubmitBatchRequest, held *gateway.Held) error {
	if r.GetChunk() != nil && b.artifact.IsOf(r.GetRef()) {
		b.artifact.Put(b.ctx, r, held)
		return nil
	}
	if r.GetChunk() == nil {
		b.artifact.End(b.ctx, nil)
		if r.GetChunked() {
			return b.startArtifact(r, held)
		}
	}
	return b.crew.start(int64(proto.Size(r)), func() {
		defer held.Close()
		b.answerItem(gateway.WithHeld(b.ctx, held), r, func() (formats.Artifact, error) { return readItem(r) })
	})
}

// startArtifact starts work on a submission whose artifact comes in chunks, once the one before is answered.
func (b *batch) startArtifact(r *pb.SubmitBatchRequest, held *gateway.Held) error {
	if err := b.artifact.Await(b.ctx); err != nil {
		return err
	}
	artifact := upload.NewChunks(r, b.server.cfg.MaxArtifact)
	err := b.crew.startApart(func() {
		defer held.Close()
		defer artifact.Done()
		ctx := gateway.WithHeld(b.ctx, held)
		b.answerItem(ctx, r, func() (formats.Artifact, error) { return formats.FromReader(artifact.Reader(ctx)), nil })
	})
	if err == nil {
		b.artifact = artifact
	}
	return err
}

func (b *batch) answerItem(ctx context.Context, r *pb.SubmitBatchRequest, readArtifact func() (formats.Artifact, error)) {
	answer, err := b.server.submitItem(ctx, r, readArtifact)
	if err != nil {
		p := problem.FromError(err)
		b.causes.logCause(ctx, b.server.cfg.Logger, p, err)
		b.server.cfg.Refused(p.Reason)
		gateway.NoteFrom(ctx).NoteRefused()
		answer = &pb.SubmitBatchResponse{Ref: r.GetRef(), Problem: convertProblem(err)}
		if p.RetryAfter > 0 {
			answer.RetryAfter = durationpb.New(p.RetryAfter)
		}
	}
	b.sending.Lock()
	defer b.sending.Unlock()
	if err := b.stream.Send(answer); err != nil {
		b.fail(err)
	}
}

// submitItem takes one submission of a batch in. A panic is that one's refusal.
func (g *grpcServer) submitItem(
	ctx context.Context, r *pb.SubmitBatchRequest, readArtifact func() (formats.Artifact, error),
) (answer *pb.SubmitBatchResponse, err error) {
	defer g.cfg.Calls.Panics.Recover("SubmitBatch", &err, "request", gateway.RequestID(ctx))
	if g.cfg.CountItem != nil {
		if err := g.cfg.CountItem(ctx); err != nil {
			return nil, err
		}
	}
	if r.GetChunk() != nil {
		return nil, errStrayChunk
	}
	if err := upload.CheckSize(r, g.cfg.MaxArtifact); err != nil {
		return nil, err
	}
	stored, err := submitHeader(ctx, g.service, readHeader(r.GetHeader()), readArtifact)
	if err != nil {
		return nil, err
	}
	sub, err := buildMessage(ctx, g.answers, func() (*pb.Submission, error) { return convertForGRPC(ctx, g.service, stored, false) })
	if err != nil {
		return nil, err
	}
	return &pb.SubmitBatchResponse{Ref: r.GetRef(), Submission: sub, Created: !stored.Existing}, nil
}

var errStrayChunk = problem.Malformed("a chunk belongs to no submission that is under way", "send the header with chunked first, and its chunks with the same ref")

// readItem returns the artifact in r, if there is one.
func readItem(r *pb.SubmitBatchRequest) (formats.Artifact, error) {
	if r.Artifact == nil {
		return formats.Artifact{}, nil
	}
	if len(r.Artifact) > upload.MaxChunk {
		return formats.Artifact{}, formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("the artifact is larger than %d MiB", upload.MaxChunk>>20), "send it in chunks, or use Submit")
	}
	return formats.FromReader(bytes.NewReader(r.Artifact)), nil
}
