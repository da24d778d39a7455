// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"context"
	"fmt"
	"io"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// Chunks is the artifact of one submission of a SubmitBatch stream. The stream's receiver puts its chunks in, and a worker, who
// refuses or stores the submission, reads them. No more than one chunk waits between the two, so that the stream is read no faster
// than the artifact is verified.
type Chunks struct {
	ref      string
	left     int64 // of the artifact's size limit; the receiver's, as the next four
	declared int64 // the artifact's size; below 0: not declared
	received int64
	finished bool // the client said that no chunk follows
	failed   bool // the worker was told that it comes to nothing

	parts chan part     // from the receiver to the worker
	done  chan struct{} // closed once the worker has answered

	current part // the worker's
}

// part is a chunk on its way to the worker, or what ends the artifact after it.
type part struct {
	data []byte
	held *gateway.Held // nil counts for nothing
	err  error         // after data: io.EOF at the artifact's end
}

var (
	errAborted  = formats.NewError(problem.ReasonCancelled, "the client has given this submission up", "")
	errCutShort = problem.Malformed("the artifact's last chunk did not come", "mark the last chunk of each artifact, and send it before the next submission")
	errOffset   = problem.Malformed("a chunk does not start where the one before it ended", "send the chunks in order, each with the number of bytes before it")
	errBeside   = problem.Malformed("a chunk comes with more than its ref", "send the header once, in a message of its own")
	errSize     = problem.Malformed("the artifact is not as large as was declared", "declare the size of what is sent, or none")
)

// NewChunks returns the artifact that r starts, which may have maxArtifact bytes.
func NewChunks(r *pb.SubmitBatchRequest, maxArtifact int64) *Chunks {
	c := &Chunks{ref: r.GetRef(), left: maxArtifact, declared: -1, parts: make(chan part), done: make(chan struct{})}
	if r.ArtifactSize != nil {
		c.declared = r.GetArtifactSize()
	}
	return c
}

// CheckSize returns the refusal of an artifact that r declares to be larger than maxArtifact, or not as large as what is
// in r.
func CheckSize(r *pb.SubmitBatchRequest, maxArtifact int64) error {
	switch declared := r.GetArtifactSize(); {
	case r.Artifact != nil && r.GetChunked():
		return problem.Malformed("the artifact is in the message, and is to come in chunks", "send it one way or the other")
	case r.ArtifactSize == nil:
		return nil
	case declared < 0 || r.Artifact != nil && declared != int64(len(r.Artifact)):
		return errSize
	case declared > maxArtifact:
		return errArtifactTooLarge
	}
	return nil
}

// IsOf reports whether a chunk with this ref belongs to c; nil has none.
func (c *Chunks) IsOf(ref string) bool { return c != nil && !c.finished && c.ref == ref }

// IsAwaited reports whether the client has chunks to send that somebody waits for.
func (c *Chunks) IsAwaited() bool {
	if c == nil || c.finished || c.failed {
		return false
	}
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// Put gives the worker the chunk in r, which counts for held, and waits until it is taken. It is dropped when the worker has
// answered, or ctx ends.
func (c *Chunks) Put(ctx context.Context, r *pb.SubmitBatchRequest, held *gateway.Held) {
	chunk := r.GetChunk()
	c.finished = chunk.GetLast() || chunk.GetAbort()
	err := c.checkChunk(r)
	if err != nil {
		c.hand(ctx, part{held: held, err: err})
		return
	}
	c.received += int64(len(chunk.GetData()))
	p := part{data: chunk.GetData(), held: held}
	if chunk.GetLast() {
		p.err = io.EOF
	}
	c.hand(ctx, p)
}

func (c *Chunks) checkChunk(r *pb.SubmitBatchRequest) error {
	chunk := r.GetChunk()
	end := c.received + int64(len(chunk.GetData()))
	switch {
	case r.Header != nil || r.Artifact != nil || r.GetChunked() || r.ArtifactSize != nil:
		return errBeside
	case chunk.GetAbort():
		return errAborted
	case len(chunk.GetData()) > MaxChunk:
		return formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("a chunk is larger than %d MiB", MaxChunk>>20), "send smaller chunks")
	case chunk.GetOffset() != c.received:
		return errOffset
	case end > c.left:
		return errArtifactTooLarge
	case c.declared >= 0 && (end > c.declared || chunk.GetLast() && end < c.declared):
		return errSize
	}
	return nil
}

// End tells the worker that no more comes, because of err, or because the next submission started or the stream ended: err is
// nil or io.EOF then. A nil c, and one whose last chunk has come, stay as they are.
func (c *Chunks) End(ctx context.Context, err error) {
	if c == nil || c.finished {
		return
	}
	c.finished = true
	if err == nil || err == io.EOF { //nolint:errorlint // as Receive returns it
		err = errCutShort
	}
	c.hand(ctx, part{err: err})
}

// hand waits until the worker has taken p.
func (c *Chunks) hand(ctx context.Context, p part) {
	if c.failed {
		p.held.Close()
		return
	}
	c.failed = p.err != nil && p.err != io.EOF //nolint:errorlint // Put sets it so
	select {
	case c.parts <- p:
	case <-c.done:
		p.held.Close()
	case <-ctx.Done():
		p.held.Close()
	}
}

// Await waits until the worker has answered, or ctx ends. For nil it is done.
func (c *Chunks) Await(ctx context.Context) error {
	if c == nil {
		return nil
	}
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Reader returns the artifact for the worker. It fails when ctx ends.
func (c *Chunks) Reader(ctx context.Context) io.Reader { return chunksReader{c, ctx} }

// Done is called by the worker once it has answered.
func (c *Chunks) Done() {
	c.dropPart()
	close(c.done)
}

// dropPart gives back what the worker holds: an empty slice, too, keeps the bytes before it.
func (c *Chunks) dropPart() {
	c.current.held.Close()
	c.current = part{err: io.ErrClosedPipe}
}

type chunksReader struct {
	*Chunks
	ctx context.Context
}

// Read implements io.Reader over the chunks.
func (r chunksReader) Read(p []byte) (int, error) {
	for len(r.current.data) == 0 {
		if r.current.err != nil {
			return 0, r.current.err
		}
		r.nextPart()
	}
	n := copy(p, r.current.data)
	r.current.data = r.current.data[n:]
	return n, nil
}

func (r chunksReader) nextPart() {
	r.dropPart() // before the next is waited for
	select {
	case r.current = <-r.parts:
	case <-r.ctx.Done():
		r.current = part{err: context.Cause(r.ctx)}
	}
}
