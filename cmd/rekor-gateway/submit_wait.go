// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// sayAfter is how long a command waits before it says what for.
const sayAfter = 2 * time.Second

// notes are what a command says beside its result. They may come from several goroutines.
type notes struct {
	mu      sync.Mutex
	to      io.Writer
	retried bool
}

func newNotes(to io.Writer) *notes { return &notes{to: to} }

// say prints a line.
func (n *notes) say(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	printLine(n.to, format, args...)
}

// sayJSON prints v on a line.
func (n *notes) sayJSON(v any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_ = printJSON(n.to, v) // nobody is left to hear of it
}

// sayWaiting says what is waited for, unless done is called before that takes long.
func (n *notes) sayWaiting(what string) (done func()) {
	timer := time.AfterFunc(sayAfter, func() { n.say("waiting: %s", what) })
	return func() { timer.Stop() }
}

// sayRetrying says once why there has to be another try.
func (n *notes) sayRetrying(err error, _ time.Duration) {
	n.mu.Lock()
	first := !n.retried
	n.retried = true
	n.mu.Unlock()
	if first {
		n.say("waiting: %s; trying again", oneLine(err.Error()))
	}
}

const (
	// askedWait is how long the gateway is asked to wait for the log, before it gives the id.
	askedWait = sayAfter
	// pollInterval is how often it is asked then.
	pollInterval = 500 * time.Millisecond
)

// submitAndWait sends s and waits until it is settled, for at most a.wait. It may return what it
// knows beside an error.
func (a *attempt) submitAndWait(ctx context.Context, s client.Submission) (*pb.SubmitResponse, error) {
	started := time.Now()
	s.Wait = min(a.wait, askedWait)
	sent := a.notes.sayWaiting("sending to " + a.server)
	answer, err := a.remote.Submit(ctx, s)
	sent()
	if err != nil {
		return nil, err
	}
	if isSettled(answer.GetSubmission()) || time.Since(started) >= a.wait {
		return answer, nil
	}
	a.notes.say("waiting: submission %s is accepted; the log has to include it", answer.GetSubmission().GetId())
	for !isSettled(answer.GetSubmission()) && time.Since(started) < a.wait {
		select {
		case <-ctx.Done():
			return answer, fmt.Errorf("waiting for submission %s: %w", answer.GetSubmission().GetId(), ctx.Err())
		case <-time.After(pollInterval):
		}
		now, err := a.remote.Get(ctx, answer.GetSubmission().GetId())
		if err != nil {
			return answer, fmt.Errorf("asking for submission %s: %w", answer.GetSubmission().GetId(), err)
		}
		answer.Submission = now
	}
	return answer, nil
}

func isSettled(s *pb.Submission) bool { return gateway.State(s.GetState().String()).Settled() }
