// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"

	"github.com/rekor-gateway/rekor-gateway/formats"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// MaxChunk bounds one chunk of an artifact, in bytes.
const MaxChunk = 1 << 20

// submitStream is a Submit stream whose client may be slow, but not silent for longer than idle.
type submitStream struct {
	grpc.ClientStreamingServer[pb.SubmitRequest, pb.SubmitResponse]
	idle time.Duration
}

// Recv returns the next message, or context.DeadlineExceeded. What it waited for is dropped
// when the call ends, which must be at once.
func (s submitStream) Recv() (*pb.SubmitRequest, error) {
	type received struct {
		message *pb.SubmitRequest
		err     error
	}
	next := make(chan received, 1)
	go func() {
		message, err := s.ClientStreamingServer.Recv()
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

// chunkReader reads the artifact from the rest of a Submit stream.
type chunkReader struct {
	stream submitStream
	left   int64 // of the size limit
	chunk  []byte
	err    error
}

// artifact returns the stream's bytes as an artifact, or none when the stream ends here.
func (c *chunkReader) artifact() (formats.Artifact, error) {
	if c.next(); errors.Is(c.err, io.EOF) {
		return formats.Artifact{}, nil
	}
	if c.err != nil {
		return formats.Artifact{}, c.err
	}
	return formats.FromReader(c), nil
}

func (c *chunkReader) next() {
	message, err := c.stream.Recv()
	if err != nil {
		c.err = err
		return
	}
	chunk, ok := message.GetPart().(*pb.SubmitRequest_Chunk)
	switch {
	case !ok:
		c.err = malformed("there is a second start message", "send one submission per stream")
	case len(chunk.Chunk) > MaxChunk:
		c.err = formats.NewError(formats.ReasonTooLarge, "a chunk is larger than 1 MiB", "send smaller chunks")
	case int64(len(chunk.Chunk)) > c.left:
		c.err = formats.NewError(formats.ReasonTooLarge, "the artifact is larger than this gateway takes",
			"send a digest in place of the artifact, or use: rekor-gateway submit")
	default:
		c.chunk = chunk.Chunk
		c.left -= int64(len(c.chunk))
	}
}

func (c *chunkReader) Read(p []byte) (int, error) {
	for len(c.chunk) == 0 {
		if c.err != nil {
			return 0, c.err
		}
		c.next()
	}
	n := copy(p, c.chunk)
	c.chunk = c.chunk[n:]
	return n, nil
}
