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
		"unavailable":         {gateway.ErrUnavailable, gateway.Outcome{Retry: true, RetryIn: delay, InDoubt: true, Problem: gateway.ProblemUnknown}},
	} {
		c.want.EntryID, c.want.Fence = e.ID, e.Fence
		for _, err := range []error{c.err, fmt.Errorf("wrapped: %w", c.err)} {
			if got := fmt.Sprintf("%+v", decideOutcome(e, nil, err, delay)); got != fmt.Sprintf("%+v", c.want) {
				t.Errorf("%s: %s, want %+v", name, got, c.want)
			}
		}
	}
	if o := decideOutcome(e, nil, gateway.ErrForbidden, 0); o.RetryIn != forbiddenDelay {
		t.Errorf("forbidden: again after %v", o.RetryIn)
	}
	inclusion := &gateway.Inclusion{Kind: "k", Index: 9}
	if o := decideOutcome(e, inclusion, nil, delay); o.Inclusion != inclusion || o.Fail || o.Retry || o.InDoubt || o.Fence != e.Fence {
		t.Errorf("logged: %+v", o)
	}
}

// TestDecideDoubt: what was found is logged; what is absent is sent again only once that counts; what
// was not looked for to the end waits, and nothing that was learned is forgotten.
func TestDecideDoubt(t *testing.T) {
	const settleAfter, delay = 30 * time.Second, 4 * time.Second
	sentAt := time.UnixMilli(1_800_000_000_000)
	leaf := gateway.LeafHash{1}
	inclusion := &gateway.Inclusion{Kind: "k"}
	found := gateway.Found{Inclusions: map[gateway.LeafHash]*gateway.Inclusion{leaf: inclusion}, AbsentTo: 90}
	absent := gateway.Found{AbsentTo: 90}
	for name, c := range map[string]struct {
		found    gateway.Found
		err      error
		sentAgo  time.Duration
		attempts int
		resend   bool
		logged   bool
		retryIn  time.Duration
		absentTo uint64
	}{
		"found at once":                  {found: found, logged: true},
		"found, though the rest was not": {found: found, err: gateway.ErrUnavailable, logged: true},
		"absent, and it counts":          {found: absent, sentAgo: settleAfter, resend: true},
		"absent, too early":              {found: absent, sentAgo: settleAfter - 1, retryIn: delay, absentTo: 90},
		"absent, again and again":        {found: absent, sentAgo: 20 * time.Second, attempts: 9, retryIn: 10 * time.Second, absentTo: 90},
		"not looked for":                 {err: gateway.ErrUnavailable, sentAgo: time.Hour, retryIn: delay},
	} {
		e := gateway.Claimed{Entry: gateway.Entry{ID: 7, Fence: 3, LeafHash: leaf, LastSentAt: sentAt, Attempts: c.attempts}}
		o, resend := decideDoubt(e, c.found, c.err, c.sentAgo, settleAfter, delay)
		switch {
		case resend != c.resend:
			t.Errorf("%s: sent again: %t", name, resend)
		case resend:
		case c.logged:
			if o.Inclusion != inclusion || o.Retry {
				t.Errorf("%s: %+v", name, o)
			}
		case !o.Retry || !o.InDoubt || !o.SentAt.Equal(sentAt) || o.RetryIn != c.retryIn || o.AbsentTo != c.absentTo || o.Fence != e.Fence:
			t.Errorf("%s: %+v", name, o)
		}
	}
}

// TestSearchFrom: a search goes on where absence is proven to.
func TestSearchFrom(t *testing.T) {
	size := uint64(40)
	for absentTo, want := range map[uint64]uint64{0: 40, 30: 40, 90: 90} {
		if got := searchFrom(gateway.Claimed{Entry: gateway.Entry{SentAtTreeSize: &size, AbsentTo: absentTo}}); got != want {
			t.Errorf("absent to %d: from %d, want %d", absentTo, got, want)
		}
	}
}
