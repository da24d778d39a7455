// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"fmt"
	"io"

	"google.golang.org/grpc"

	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// batchSender sends the submissions of a batch over one stream.
type batchSender struct {
	batch  *batch
	stream grpc.BidiStreamingClient[pb.SubmitBatchRequest, pb.SubmitBatchResponse]
	buf    []byte
}

// sendAll sends until there is no more, or the stream has ended, which its receiver sees, too.
func (b *batch) sendAll(ctx context.Context, stream grpc.BidiStreamingClient[pb.SubmitBatchRequest, pb.SubmitBatchResponse]) {
	s := &batchSender{batch: b, stream: stream, buf: make([]byte, maxInline)}
	for {
		item, err := b.takeNext(ctx)
		if err != nil {
			return
		}
		if item == nil {
			_ = stream.CloseSend()
			return
		}
		b.noteProgress()
		if s.sendItem(ctx, item) != nil {
			return
		}
	}
}

// sendItem sends one submission. A failure to read its artifact is the submission's own. Error: the stream has ended.
func (s *batchSender) sendItem(ctx context.Context, item *batchItem) error {
	start := &pb.SubmitBatchRequest{Ref: item.ref(), Header: item.Header}
	if item.Artifact == nil {
		return s.stream.Send(start)
	}
	artifact, err := item.Artifact()
	if err != nil {
		return s.batch.failItem(ctx, item, err)
	}
	defer artifact.Close() //nolint:errcheck // only read
	n, err := io.ReadFull(artifact, s.buf)
	switch {
	case isEnd(err):
		start.Artifact = s.buf[:n:n]
		return s.stream.Send(start)
	case err != nil:
		return s.batch.failItem(ctx, item, fmt.Errorf("reading the artifact: %w", err))
	}
	start.Chunked = true
	if err := s.stream.Send(start); err != nil {
		return err
	}
	return s.sendChunks(item, artifact)
}

// sendChunks sends what is in s.buf, and the rest of the artifact, unless the submission is answered before.
func (s *batchSender) sendChunks(item *batchItem, artifact io.Reader) error {
	chunk := &pb.ArtifactChunk{Data: s.buf}
	for end := false; ; {
		select {
		case <-item.answered:
			chunk.Data, chunk.Abort = nil, true
		default:
		}
		chunk.Last = end && !chunk.GetAbort()
		if err := s.stream.Send(&pb.SubmitBatchRequest{Ref: item.ref(), Chunk: chunk}); err != nil || chunk.GetLast() || chunk.GetAbort() {
			return err
		}
		s.batch.noteProgress()
		chunk.Offset += int64(len(chunk.GetData()))
		n, err := io.ReadFull(artifact, s.buf[:chunkSize])
		chunk.Data = s.buf[:n]
		if end = isEnd(err); err != nil && !end {
			s.batch.noteBroken(item, fmt.Errorf("reading the artifact: %w", err))
			chunk.Data, chunk.Abort = nil, true
		}
	}
}

// noteBroken has the answer to item, which is given up, be err.
func (b *batch) noteBroken(item *batchItem, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	item.broken = err
}

// failItem gives the result of a submission that was not sent at all.
func (b *batch) failItem(ctx context.Context, item *batchItem, err error) error {
	b.mu.Lock()
	delete(b.pending, item.ref())
	b.mu.Unlock()
	select {
	case b.results <- Result{Index: item.index, Err: err}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
