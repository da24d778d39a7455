// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/rekor-gateway/rekor-gateway/formats"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// batchParallel bounds the submissions of one SubmitBatch stream that are verified at once.
const batchParallel = 64

// SubmitBatch answers each submission once it is durable; it does not wait for the log.
func (g *grpcServer) SubmitBatch(stream grpc.BidiStreamingServer[pb.SubmitBatchRequest, pb.SubmitBatchResponse]) error {
	work, ctx := errgroup.WithContext(stream.Context())
	work.SetLimit(batchParallel)
	var sending sync.Mutex
	var received error
	for {
		var r *pb.SubmitBatchRequest
		if r, received = stream.Recv(); received != nil {
			break
		}
		work.Go(func() error {
			answer := g.submitOne(ctx, r)
			sending.Lock()
			defer sending.Unlock()
			return stream.Send(answer)
		})
	}
	if err := work.Wait(); err != nil {
		return err
	}
	if !errors.Is(received, io.EOF) {
		return received
	}
	return nil
}

func (g *grpcServer) submitOne(ctx context.Context, r *pb.SubmitBatchRequest) *pb.SubmitBatchResponse {
	out := &pb.SubmitBatchResponse{Ref: r.GetRef()}
	answer, err := submit(ctx, g.service, headerOf(r.GetHeader()), 0, func() (formats.Artifact, error) {
		if r.Artifact == nil {
			return formats.Artifact{}, nil
		}
		if len(r.Artifact) > MaxChunk {
			return formats.Artifact{}, formats.NewError(formats.ReasonTooLarge, "the artifact is larger than 1 MiB", "use Submit for it")
		}
		return formats.FromReader(bytes.NewReader(r.Artifact)), nil
	})
	if err != nil {
		problemOf(err).log(g.logger, err)
		out.Problem = Problem(err)
		return out
	}
	out.Submission, out.Created = answer.GetSubmission(), answer.GetCreated()
	return out
}
