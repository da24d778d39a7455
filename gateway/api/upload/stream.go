// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"errors"
	"fmt"
	"io"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// Stream reads one Submit stream: a start message, then the artifact in chunks. It is for one goroutine.
type Stream struct {
	call  *Call
	left  int64         // of the artifact's size limit
	chunk []byte        // not yet read of the last message
	held  *gateway.Held // of the last message
	err   error         // that ended the chunks
}

// NewStream bounds the artifact to maxArtifact bytes.
func NewStream(call *Call, maxArtifact int64) *Stream { return &Stream{call: call, left: maxArtifact} }

// ReadStart returns the start message, which comes first, and what it counts for, which the caller closes.
func (s *Stream) ReadStart() (*pb.SubmitStart, *gateway.Held, error) {
	first := new(pb.SubmitRequest)
	held, err := s.call.Receive(first)
	if errors.Is(err, io.EOF) {
		return nil, nil, problem.Malformed("the stream is empty", "send a start message first")
	}
	if err != nil {
		return nil, nil, err
	}
	start := first.GetStart()
	if start == nil {
		held.Close()
		return nil, nil, problem.Malformed("the first message is no start message", "send the header first, then the artifact's chunks")
	}
	return start, held, nil
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

// Close gives back what the stream holds. Nothing is read afterwards.
func (s *Stream) Close() {
	s.dropChunk()
	s.call.dropScratch()
}

func (s *Stream) dropChunk() {
	s.chunk = nil
	s.held.Close()
}

func (s *Stream) nextChunk() {
	s.dropChunk()
	message := new(pb.SubmitRequest)
	if s.held, s.err = s.call.Receive(message); s.err != nil {
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
