// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// LineTypes are the media types of lines of JSON. Answers have the first.
var LineTypes = []string{"application/x-ndjson", "application/jsonl"}

var errNoLines = problem.Malformed("the content type is neither application/x-ndjson nor application/jsonl",
	"with curl: -H 'Content-Type: application/x-ndjson' --data-binary @FILE")

// LinesBody is the body of a request that has lines.
type LinesBody struct {
	*Lines
	body    io.Reader // which Lines reads, without its bounds in time
	control *stoppable
}

// ReadLines returns the lines of a body, of which nothing is read yet. What they hold, and LineMemory, is counted until the request ends.
// Between lines the client may be silent for as long as Pace.Idle lets it; within one it has to be as fast as Pace.MinRate. Other errors of
// Next than io.EOF say what is wrong with the whole body.
func (r *Reader) ReadLines(w http.ResponseWriter, req *http.Request) (*LinesBody, error) {
	if kind, _ := parseContentType(req); !slices.Contains(LineTypes, kind) {
		return nil, errNoLines
	}
	held := gateway.HeldFrom(req.Context())
	if err := held.Grow(LineMemory); err != nil {
		return nil, err
	}
	control := &stoppable{control: http.NewResponseController(w)}
	timed := r.timeBody(req, req.Body, control)
	lines := newLines(timed, MaxLine, held)
	lines.rest = func(between bool) { timed.unhurried = between }
	return &LinesBody{Lines: lines, body: req.Body, control: control}, nil
}

// Next is that of Lines. Once it has returned io.EOF, Stop does nothing.
func (b *LinesBody) Next() (Line, error) {
	line, err := b.Lines.Next()
	if err == io.EOF { //nolint:errorlint // Lines' own
		b.control.finish()
	}
	if cause := b.control.stopped(); cause != nil && err != nil && err != io.EOF { //nolint:errorlint // Lines' own
		err = cause
	}
	return line, err
}

// Stop has Next fail with cause, soon, if the body has not ended by then. It may be called at any time.
func (b *LinesBody) Stop(cause error) { b.control.stop(cause) }

// EndsWith reports whether the end of the request's context, for that cause, says that the client has left, or that the request's time is over. As long
// as a body is read over HTTP/1.1, net/http ends the context with each read that fails, for one that was stopped or took too long, too: why it
// failed is Next's to say.
func (b *LinesBody) EndsWith(cause error) bool {
	return !errors.Is(cause, context.Canceled) || b.control.isAtEnd()
}

// Finish is called when nothing is read any more: Stop does nothing from now on. What ended all lines is err. Where the client may still
// send, what it sends is dropped, so that it gets to read its answers, for as long as that of a request that was refused.
func (b *LinesBody) Finish(req *http.Request, err error) {
	b.control.finish()
	if err == io.EOF || isCutOff(b.ended) { //nolint:errorlint // Next's own
		return
	}
	idle := LingerIdle
	if req.ProtoMajor > 1 {
		idle = LingerIdleStream
	}
	end := time.Now().Add(LingerTime)
	for dropped := int64(0); dropped < LingerBytes; {
		deadline := time.Now().Add(idle)
		if end.Before(deadline) {
			deadline = end
		}
		_ = b.control.SetReadDeadline(deadline)
		n, err := b.body.Read(b.buffer)
		if err != nil {
			return
		}
		dropped += int64(n)
	}
}

// isCutOff reports whether err of a body says that nothing more comes.
func isCutOff(err error) bool {
	return err != nil && problem.FromError(err).Reason == problem.ReasonMalformedRequest
}

// stoppable are the read deadlines of a body that somebody else may stop.
type stoppable struct {
	control readDeadline

	mu       sync.Mutex // over what follows
	cause    error
	finished bool
}

// SetReadDeadline implements readDeadline. Once it was stopped, no read waits.
func (s *stoppable) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause != nil && !s.finished {
		t = time.Unix(1, 0)
	}
	return s.control.SetReadDeadline(t)
}

// stop ends a read that waits. Not after finish: net/http itself reads then, and takes an error for the client's leaving.
func (s *stoppable) stop(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause != nil || s.finished {
		return
	}
	s.cause = cause
	_ = s.control.SetReadDeadline(time.Unix(1, 0))
}

func (s *stoppable) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finished = true
}

// isAtEnd reports whether all was read, and nobody has stopped that.
func (s *stoppable) isAtEnd() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.finished && s.cause == nil
}

func (s *stoppable) stopped() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cause
}
