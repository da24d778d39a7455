// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// TestDecideOutcome: all that may have been logged stays in doubt, and nothing else does.
func TestDecideOutcome(t *testing.T) {
	const delay = time.Minute
	e := gateway.Claimed{Entry: gateway.Entry{ID: 7, Fence: 3}}
	for name, c := range map[string]struct {
		err  error
		want gateway.Outcome
	}{
		"refused":             {gateway.ErrRefused, gateway.Outcome{Fail: true, Problem: gateway.ProblemRefused}},
		"overloaded":          {&gateway.OverloadError{}, gateway.Outcome{Retry: true, RetryIn: delay, Problem: gateway.ProblemOverloaded}},
		"overloaded, a while": {&gateway.OverloadError{RetryAfter: time.Hour}, gateway.Outcome{Retry: true, RetryIn: time.Hour, Problem: gateway.ProblemOverloaded}},
		"not sent":            {gateway.ErrNotSent, gateway.Outcome{Retry: true, RetryIn: delay, Problem: gateway.ProblemUnavailable}},
		"forbidden":           {gateway.ErrForbidden, gateway.Outcome{Retry: true, RetryIn: delay, Problem: gateway.ProblemForbidden}},
		"forked":              {gateway.ErrFork, gateway.Outcome{Retry: true, RetryIn: delay, InDoubt: true, Problem: gateway.ProblemFork}},
		"false answer":        {gateway.ErrBadAnswer, gateway.Outcome{Retry: true, RetryIn: delay, InDoubt: true, Problem: gateway.ProblemBadAnswer}},
		"anything else":       {errors.New("connection reset"), gateway.Outcome{Retry: true, RetryIn: delay, InDoubt: true, Problem: gateway.ProblemUnknown}},
		"busy, in doubt":      {&gateway.OverloadError{RetryAfter: time.Hour, InDoubt: true}, gateway.Outcome{Retry: true, RetryIn: time.Hour, InDoubt: true, Problem: gateway.ProblemOverloaded}},
		"unavailable":         {gateway.ErrUnavailable, gateway.Outcome{Retry: true, RetryIn: delay, InDoubt: true, Problem: gateway.ProblemUnknown}},
	} {
		c.want.EntryID, c.want.Fence = e.ID, e.Fence
		for _, err := range []error{c.err, fmt.Errorf("wrapped: %w", c.err)} {
			if got := fmt.Sprintf("%+v", decideOutcome(&e, nil, err, delay)); got != fmt.Sprintf("%+v", c.want) {
				t.Errorf("%s: %s, want %+v", name, got, c.want)
			}
		}
	}
	if o := decideOutcome(&e, nil, gateway.ErrForbidden, 0); o.RetryIn != forbiddenDelay {
		t.Errorf("forbidden: again after %v", o.RetryIn)
	}
	lost := fmt.Errorf("%w: %w", gateway.ErrUnreadable, gateway.ErrBlobGone)
	for attempts, fails := range map[int]bool{1: false, gateway.StuckAttempts - 1: false, gateway.StuckAttempts: true} {
		e.Attempts = attempts
		if o := decideOutcome(&e, nil, lost, delay); o.Fail != fails || o.Retry == fails || o.InDoubt || o.Problem != gateway.ProblemUnreadable {
			t.Errorf("without its artifact, %d times: %+v", attempts, o)
		}
		if o := decideOutcome(&e, nil, gateway.ErrUnreadable, delay); !o.Retry {
			t.Errorf("unreadable, %d times: %+v", attempts, o)
		}
	}
	inclusion := &gateway.Inclusion{Kind: "k", Index: 9}
	if o := decideOutcome(&e, inclusion, nil, delay); o.Inclusion != inclusion || o.Fail || o.Retry || o.InDoubt || o.Fence != e.Fence {
		t.Errorf("logged: %+v", o)
	}
}
