// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

const (
	// askedWait is how long the gateway is asked to wait for the log, before it gives the id.
	askedWait = output.SayAfter
	// pollInterval is how often it is asked then.
	pollInterval = 500 * time.Millisecond
)

// submitAndWait sends s and waits until it is settled, for at most a.wait. It may return what it
// knows beside an error.
func (a *attempt) submitAndWait(ctx context.Context, s client.Submission) (*pb.SubmitResponse, error) {
	started := time.Now()
	s.Wait = min(a.wait, askedWait)
	sent := a.notes.SayWaiting("sending to " + a.server)
	answer, err := a.remote.Submit(ctx, s)
	sent()
	if err != nil {
		return nil, err
	}
	if client.IsSettled(answer.GetSubmission()) || time.Since(started) >= a.wait {
		return answer, nil
	}
	a.notes.Say("waiting: submission %s is accepted; the log has to include it", answer.GetSubmission().GetId())
	for !client.IsSettled(answer.GetSubmission()) && time.Since(started) < a.wait {
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
