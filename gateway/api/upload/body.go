// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// timedBody gives a client a time limit for each read, so that a large upload may take long and a dead
// or slow one may not. No read goes past the deadline of the request.
//
// While a body is unread, net/http does not notice that the client has left: then formats.MaxWork and the
// request's deadline bound what is done for nobody.
type timedBody struct {
	src     io.Reader
	meter   meter
	control readDeadline
	end     time.Time // zero: there is none
	// unhurried says that the client may be silent for as long as Pace.Idle lets it, whatever came before.
	unhurried bool
}

// readDeadline is what an http.ResponseController can do about reads.
type readDeadline interface {
	SetReadDeadline(time.Time) error
}

func (b *timedBody) Read(p []byte) (int, error) {
	m := &b.meter
	if b.unhurried {
		rested := newMeter(Pace{Idle: m.pace.Idle})
		m = &rested
	}
	started := time.Now()
	deadline := started.Add(m.patience())
	if !b.end.IsZero() && b.end.Before(deadline) {
		deadline = b.end
	}
	_ = b.control.SetReadDeadline(deadline)
	n, err := b.src.Read(p)
	_ = b.control.SetReadDeadline(time.Time{}) // while we wait for the log, silence is no fault
	m.noteRead(n, time.Since(started))
	return n, explainBodyError(err)
}

// explainBodyError says that it is the client's doing when a body does not come whole, unless err is a refusal already.
func explainBodyError(err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil || errors.Is(err, io.EOF) || errors.As(err, &tooLarge) || formats.ReasonOf(err) != "":
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errors.Join(context.DeadlineExceeded, err)
	}
	return formats.WrapError(err, problem.ReasonMalformedRequest, "the request is cut off or malformed", "send it again")
}

// isOwn reports whether err, met while a body was read, says itself what is wrong: it is no fault of the
// form or the JSON that the body should be.
func isOwn(err error) bool {
	var tooLarge *http.MaxBytesError
	return errors.As(err, &tooLarge) || errors.Is(err, gateway.ErrMemoryFull) || errors.Is(err, context.Canceled) ||
		errors.Is(err, context.DeadlineExceeded) || formats.ReasonOf(err) != ""
}
