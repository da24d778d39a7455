// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
)

// serveBatch takes POST /v1/submissions:batch: a submission in each line, and a line about each as soon as it is durable, or, with a wait, once
// it is logged. As in SubmitBatch each is refused by itself, and answers come in any order. Once the answer has begun, whatever ends the
// batch is told in its last line.
func (h *httpServer) serveBatch(w http.ResponseWriter, r *http.Request) error {
	wait, err := parseWait(r, 0)
	if err != nil {
		return err
	}
	if h.cfg.Stopping.Err() != nil {
		return gateway.ErrClosed
	}
	body, err := h.uploads.ReadLines(w, r)
	if err != nil {
		return err
	}
	b := &lineBatch{server: h, body: body, wait: wait, waiters: semaphore.NewWeighted(upload.MaxBatchWaiting)}
	b.ctx, b.fail = context.WithCancelCause(context.WithoutCancel(r.Context()))
	defer b.fail(nil)
	b.request = r.WithContext(b.ctx)
	b.patient, b.endWaits = context.WithCancel(b.ctx)
	defer b.endWaits()
	defer context.AfterFunc(r.Context(), func() { b.endWith(r.Context()) })()
	if b.answers, err = h.uploads.NewLinesWriter(w, r, b.fail); err != nil {
		return err
	}
	b.crew = newCrew(b.ctx, h.cfg.Batches)
	defer context.AfterFunc(h.cfg.Stopping, b.endWaits)()
	err = b.receiveAll()
	if err == io.EOF { //nolint:errorlint // Next's own
		b.endWith(r.Context())
	} else {
		b.endWaits()
	}
	b.crew.dismiss()
	b.waiting.Wait()
	b.answerEnd(err)
	b.answers.End()
	body.Finish(r, err)
	return nil
}

// lineBatch is one batch over HTTP.
type lineBatch struct {
	server  *httpServer
	request *http.Request
	body    *upload.LinesBody
	answers *upload.LinesWriter
	wait    time.Duration
	// ctx has the values of the request's. It ends when the client has left, when an answer cannot be sent, and with the request's time.
	ctx  context.Context
	fail context.CancelCauseFunc
	// patient is ctx as long as lines may wait for the log: no more once the gateway stops, or the body has ended before its end.
	patient  context.Context
	endWaits context.CancelFunc
	crew     *crew
	waiters  *semaphore.Weighted // submissions that wait for the log
	waiting  sync.WaitGroup
	causes   causes

	last int // line that was taken; the receiver's
}

// endWith ends the batch with the context of its request, where that has ended, and for what concerns all of it: not for a read that was
// stopped, since lines that have come by then are answered.
func (b *lineBatch) endWith(request context.Context) {
	if cause := context.Cause(request); cause != nil && b.body.EndsWith(cause) {
		b.fail(cause)
	}
}

// receiveAll starts work on each line as it comes, and returns what ended the body: io.EOF as a rule.
func (b *lineBatch) receiveAll() error {
	defer context.AfterFunc(b.ctx, func() { b.body.Stop(context.Cause(b.ctx)) })()
	defer context.AfterFunc(b.server.cfg.Stopping, func() { b.body.Stop(gateway.ErrClosed) })()
	lifetime := gateway.LifetimeFrom(b.ctx)
	defer context.AfterFunc(lifetime, func() { b.body.Stop(context.Cause(lifetime)) })()
	b.body.Relieve = b.crew.awaitOthers
	for {
		line, err := b.body.Next()
		if err != nil {
			return err
		}
		if err := b.crew.start(line.Size(), func() { b.workOn(&line) }); err != nil {
			line.Close()
			return context.Cause(b.ctx)
		}
		b.last = line.Number
	}
}

// lineName is what an answer's line says which one it answers.
type lineName struct {
	Line int    `json:"line,omitempty"`
	Ref  string `json:"ref,omitempty"`
}

// lineAnswer is a line of the answer, openapi.json's BatchAnswer.
type lineAnswer struct {
	lineName
	// EndedAfter is in the last line of a batch that was not read to its end alone: the last line that was taken.
	EndedAfter *int            `json:"endedAfter,omitempty"`
	Status     int             `json:"status"`
	RetryAfter int             `json:"retryAfter,omitempty"` // seconds
	Submission json.RawMessage `json:"submission,omitempty"`
	Problem    json.RawMessage `json:"problem,omitempty"`
}

// workOn takes a line in, and answers it, or has somebody wait for the log who does. Who waits takes no place of the crew.
func (b *lineBatch) workOn(line *upload.Line) {
	defer line.Close()
	name := lineName{Line: line.Number}
	stored, err := b.submitLine(line, &name)
	line.Close()
	switch {
	case err != nil:
		b.refuse(name, err)
	case b.wait <= 0 || stored.State.Settled():
		b.answer(name, &stored)
	default:
		b.startWaiting(name, stored)
	}
}

// submitLine takes in the submission in a line. Lines that are refused count against the rate limit, too. A panic is that one's refusal.
func (b *lineBatch) submitLine(line *upload.Line, name *lineName) (stored gateway.Submission, err error) {
	ctx := gateway.WithHeld(b.ctx, line.Held())
	defer b.server.cfg.Panics.Recover("HTTP", &err, "request", gateway.RequestID(ctx))
	sent, ref, err := line.ReadSubmission()
	name.Ref = ref
	if err := b.server.cfg.CountItem(b.request); err != nil {
		return stored, err
	}
	if err != nil {
		return stored, err
	}
	return submitHeader(ctx, b.server.service, sent.Header, func() (formats.Artifact, error) { return sent.Artifact, nil })
}

// startWaiting answers once the submission is logged, or the wait is over; at once, where nobody more may wait for want of memory. It waits
// while as many wait as may.
func (b *lineBatch) startWaiting(name lineName, stored gateway.Submission) {
	if b.waiters.Acquire(b.patient, 1) != nil {
		b.answer(name, &stored)
		return
	}
	held := gateway.HeldFrom(b.ctx).Part()
	if held.Grow(upload.WaitMemory) != nil {
		b.waiters.Release(1)
		b.answer(name, &stored)
		return
	}
	b.waiting.Go(func() {
		err := b.await(&stored)
		b.waiters.Release(1)
		held.Close()
		if err != nil {
			b.refuse(name, err)
			return
		}
		b.answer(name, &stored)
	})
}

func (b *lineBatch) await(sub *gateway.Submission) (err error) {
	defer b.server.cfg.Panics.Recover("HTTP", &err, "request", gateway.RequestID(b.ctx))
	return AwaitLog(b.patient, b.server.service, sub, b.wait)
}

// answer sends the line about what was stored just now, and has got so far.
func (b *lineBatch) answer(name lineName, sub *gateway.Submission) {
	held := gateway.HeldFrom(b.ctx).Part()
	answer, err := b.describe(gateway.WithHeld(b.ctx, held), sub)
	if err != nil {
		held.Close()
		b.refuse(name, err)
		return
	}
	answer.lineName = name
	b.send(answer, held)
}

// describe returns what POST /v1/submissions would have answered.
func (b *lineBatch) describe(ctx context.Context, sub *gateway.Submission) (_ lineAnswer, err error) {
	defer b.server.cfg.Panics.Recover("HTTP", &err, "request", gateway.RequestID(ctx))
	if sub.State == gateway.Failed {
		return lineAnswer{}, errLogRefused
	}
	body, eta, err := b.server.buildSubmission(ctx, *sub)
	if err != nil {
		return lineAnswer{}, err
	}
	answer := lineAnswer{Status: statusOf(sub), Submission: body}
	if answer.Status == http.StatusAccepted {
		answer.RetryAfter = retrySeconds(eta, time.Now())
	}
	return answer, nil
}

// refuse sends the line about a submission that was not taken.
func (b *lineBatch) refuse(name lineName, err error) {
	gateway.NoteFrom(b.ctx).NoteRefused()
	answer := b.describeProblem(err)
	answer.lineName = name
	b.send(answer, gateway.HeldFrom(b.ctx).Part())
}

// answerEnd sends a last line if the batch was not read to its end.
func (b *lineBatch) answerEnd(err error) {
	if err == io.EOF { //nolint:errorlint // Next's own
		return
	}
	answer := b.describeProblem(err)
	answer.EndedAfter = &b.last
	b.send(answer, gateway.HeldFrom(b.ctx).Part())
}

func (b *lineBatch) describeProblem(err error) lineAnswer {
	p := problem.FromError(err)
	b.causes.logCause(b.ctx, b.server.cfg.Logger, p, err)
	b.server.cfg.Refused(p.Reason)
	return lineAnswer{Status: p.Status, Problem: p.EncodeJSON(), RetryAfter: p.RetrySeconds()}
}

// send counts the line until the client has taken it.
func (b *lineBatch) send(answer lineAnswer, held *gateway.Held) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(answer); err != nil { // JSON in it that is none: a fault of ours
		b.fail(err)
		held.Close()
		return
	}
	text := out.Bytes()
	if held.Grow(int64(cap(text))+upload.AnswerLineMemory) != nil {
		held.Close()
		held = nil
	}
	b.answers.Put(text, held)
}
