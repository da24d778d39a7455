// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// SubmitBatch answers each submission once it is durable; it does not wait for the log.
func (g *grpcServer) SubmitBatch(stream grpc.BidiStreamingServer[pb.SubmitBatchRequest, pb.SubmitBatchResponse]) error {
	work, ctx := errgroup.WithContext(stream.Context())
	work.SetLimit(upload.MaxBatchParallel)
	var sending sync.Mutex
	var received error
	for {
		var r *pb.SubmitBatchRequest
		if r, received = stream.Recv(); received != nil {
			break
		}
		work.Go(func() error {
			answer := g.submitBatched(ctx, r)
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

func (g *grpcServer) submitBatched(ctx context.Context, r *pb.SubmitBatchRequest) *pb.SubmitBatchResponse {
	out := &pb.SubmitBatchResponse{Ref: r.GetRef()}
	answer, err := submitOne(ctx, g.service, readHeader(r.GetHeader()), 0, func() (formats.Artifact, error) {
		if r.Artifact == nil {
			return formats.Artifact{}, nil
		}
		if len(r.Artifact) > upload.MaxChunk {
			return formats.Artifact{}, formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("the artifact is larger than %d MiB", upload.MaxChunk>>20), "use Submit for it")
		}
		return formats.FromReader(bytes.NewReader(r.Artifact)), nil
	})
	if err != nil {
		problem.FromError(err).LogCause(g.logger, err)
		out.Problem = convertProblem(err)
		return out
	}
	out.Submission, out.Created = answer.GetSubmission(), answer.GetCreated()
	return out
}
