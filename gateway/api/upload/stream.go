// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// Stream reads one Submit stream: a start message, then the artifact in chunks. Its client may be
// slow, but not silent for longer than the idle timeout. It is for one goroutine.
type Stream struct {
	messages grpc.ClientStreamingServer[pb.SubmitRequest, pb.SubmitResponse]
	idle     time.Duration
	left     int64  // of the artifact's size limit
	chunk    []byte // not yet read of the last message
	err      error  // that ended the chunks
}

// NewStream bounds the artifact to maxArtifact bytes and the silence between two messages to idle.
func NewStream(messages grpc.ClientStreamingServer[pb.SubmitRequest, pb.SubmitResponse], maxArtifact int64, idle time.Duration) *Stream {
	return &Stream{messages: messages, left: maxArtifact, idle: idle}
}

// ReadStart returns the start message, which comes first.
func (s *Stream) ReadStart() (*pb.SubmitStart, error) {
	first, err := s.receiveMessage()
	if errors.Is(err, io.EOF) {
		return nil, problem.Malformed("the stream is empty", "send a start message first")
	}
	if err != nil {
		return nil, err
	}
	start := first.GetStart()
	if start == nil {
		return nil, problem.Malformed("the first message is no start message", "send the header first, then the artifact's chunks")
	}
	return start, nil
}

// ReadArtifact returns the rest of the stream as an artifact, or none when the stream ends here.
func (s *Stream) ReadArtifact() (formats.Artifact, error) {
	if s.nextChunk(); errors.Is(s.err, io.EOF) {
		return formats.Artifact{}, nil
	}
	if s.err != nil {
		return formats.Artifact{}, s.err
	}
	return formats.FromReader(s), nil
}

// Read implements io.Reader over the chunks.
func (s *Stream) Read(p []byte) (int, error) {
	for len(s.chunk) == 0 {
		if s.err != nil {
			return 0, s.err
		}
		s.nextChunk()
	}
	n := copy(p, s.chunk)
	s.chunk = s.chunk[n:]
	return n, nil
}

func (s *Stream) nextChunk() {
	message, err := s.receiveMessage()
	if err != nil {
		s.err = err
		return
	}
	chunk, ok := message.GetPart().(*pb.SubmitRequest_Chunk)
	switch {
	case !ok:
		s.err = problem.Malformed("there is a second start message", "send one submission per stream")
	case len(chunk.Chunk) > MaxChunk:
		s.err = formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("a chunk is larger than %d MiB", MaxChunk>>20), "send smaller chunks")
	case int64(len(chunk.Chunk)) > s.left:
		s.err = errArtifactTooLarge
	default:
		s.chunk = chunk.Chunk
		s.left -= int64(len(s.chunk))
	}
}

// receiveMessage returns the next message, or context.DeadlineExceeded. What it waited for is dropped
// when the call ends, which must be at once.
func (s *Stream) receiveMessage() (*pb.SubmitRequest, error) {
	type received struct {
		message *pb.SubmitRequest
		err     error
	}
	next := make(chan received, 1)
	go func() {
		message, err := s.messages.Recv()
		next <- received{message, err}
	}()
	silence := time.NewTimer(s.idle)
	defer silence.Stop()
	select {
	case r := <-next:
		return r.message, r.err
	case <-silence.C:
		return nil, context.DeadlineExceeded
	}
}
