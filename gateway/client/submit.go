// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// Submission is what is sent to be recorded.
type Submission struct {
	Header *pb.SubmissionHeader
	// Artifact opens the artifact, and is called for each try; nil sends none, as with a digest, or where the signature has
	// the artifact in it.
	Artifact func() (io.ReadCloser, error)
	// Wait is how long the gateway is asked to wait for the log, at most 60 s; 0: not at all. A batch is never waited for.
	Wait time.Duration
}

// chunkSize is how much of an artifact goes into one message, in bytes. A gateway takes up to four times that.
const chunkSize = 256 << 10

// Submit sends one submission. It is recorded once however often it is sent. What is returned is not settled when the log took
// longer than s.Wait; Await waits on.
func (c *Client) Submit(ctx context.Context, s Submission) (*pb.SubmitResponse, error) {
	return Do(ctx, c.retries, func(ctx context.Context, progress func()) (*pb.SubmitResponse, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // ends the stream when the artifact cannot be read
		stream, err := c.remote.Submit(ctx, c.boundSubmission())
		if err != nil {
			return nil, convertStatus(ctx, err)
		}
		start := &pb.SubmitStart{Header: s.Header, Wait: durationpb.New(s.Wait), OmitReceiptJson: c.omit}
		err = stream.Send(&pb.SubmitRequest{Part: &pb.SubmitRequest_Start{Start: start}})
		if err == nil && s.Artifact != nil {
			err = sendArtifact(stream, s.Artifact, progress)
		}
		if err != nil && !errors.Is(err, errSending) && !errors.Is(err, io.EOF) {
			return nil, err
		}
		answer, err := stream.CloseAndRecv()
		if err != nil {
			return nil, convertStatus(ctx, err)
		}
		return answer, CheckAccepted(answer.GetSubmission())
	})
}

// errSending: the gateway has answered before it was sent all, or is gone. The stream says which.
var errSending = errors.New("the stream has ended")

// sendArtifact calls progress whenever the gateway has taken more.
func sendArtifact(stream grpc.ClientStreamingClient[pb.SubmitRequest, pb.SubmitResponse], open func() (io.ReadCloser, error), progress func()) error {
	artifact, err := open()
	if err != nil {
		return err
	}
	defer artifact.Close() //nolint:errcheck // only read
	buf := make([]byte, chunkSize)
	for first := true; ; first = false {
		n, err := io.ReadFull(artifact, buf)
		if n > 0 || first { // an empty artifact is one empty chunk, not none
			if stream.Send(&pb.SubmitRequest{Part: &pb.SubmitRequest_Chunk{Chunk: buf[:n]}}) != nil {
				return errSending
			}
			progress()
		}
		if isEnd(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the artifact: %w", err)
		}
	}
}

// isEnd reports whether io.ReadFull has come to the end.
func isEnd(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
