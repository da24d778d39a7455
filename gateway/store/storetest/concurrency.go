// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

const (
	crowd    = 8
	perHead  = 40
	inFlight = 20
)

var concurrencyTests = map[string]func(*testing.T, opener){
	// Goroutines that submit the same things at once must agree on one row for each.
	"Concurrent/enqueue": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		var fresh atomic.Int32
		var wg sync.WaitGroup
		for g := range crowd {
			wg.Go(func() {
				for i := range perHead {
					sub := newSubmission(fmt.Sprint(i))
					sub.ID = newID(fmt.Sprintf("%d by %d", i, g))
					out, err := s.Enqueue(t.Context(), []gateway.NewSubmission{sub})
					if err := errors.Join(err, out[0].Err); err != nil {
						t.Error(err)
						return
					}
					if !out[0].Submission.Existing {
						fresh.Add(1)
					}
				}
			})
		}
		wg.Wait()
		if fresh.Load() != perHead {
			t.Errorf("%d new submissions, want %d", fresh.Load(), perHead)
		}
		wantPending(t, s, logA, perHead)
	},

	// No entry is leased twice, and never more than the bound, while all get logged.
	"Concurrent/claim": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		subs := make([]gateway.NewSubmission, crowd*perHead)
		for i := range subs {
			subs[i] = newSubmission(fmt.Sprint(i))
		}
		enqueueAll(t, s, subs...)
		var leased sync.Map
		var flying, done atomic.Int32
		var wg sync.WaitGroup
		for range crowd {
			wg.Go(func() {
				for int(done.Load()) < len(subs) && !t.Failed() {
					workOnce(t, s, &leased, &flying, &done)
				}
			})
		}
		wg.Wait()
		wantPending(t, s, logA, 0)
		for _, sub := range subs {
			if got := getSubmission(t, s, tenant, sub.ID); got.State != gateway.Logged || got.Entries[0].Attempts != 1 {
				t.Fatalf("submission is %s after %d attempts", got.State, got.Entries[0].Attempts)
			}
		}
	},

	// A zombie whose leases expired meets the workers that took over: of all outcomes for
	// one entry exactly one counts.
	"Concurrent/zombies": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		subs := make([]gateway.NewSubmission, perHead)
		for i := range subs {
			subs[i] = newSubmission(fmt.Sprint(i))
		}
		enqueueAll(t, s, subs...)
		var outcomes []gateway.Outcome
		for round := range crowd {
			s.setClock(after(time.Duration(round) * time.Hour))
			resendDoubtful(t, s)
			for _, e := range claimEntries(t, s, after(time.Duration(round)*time.Hour), len(subs)) {
				outcomes = append(outcomes, loggedOutcome(e))
			}
		}
		var applied atomic.Int32
		var wg sync.WaitGroup
		for _, o := range outcomes {
			wg.Go(func() {
				_, err := s.Finish(t.Context(), []gateway.Outcome{o})
				if err == nil {
					applied.Add(1)
				} else if !errors.Is(err, gateway.ErrLeaseLost) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if int(applied.Load()) != len(subs) {
			t.Errorf("%d outcomes applied, want %d", applied.Load(), len(subs))
		}
		wantPending(t, s, logA, 0)
	},
}

// workOnce claims a few entries, counts them while they are leased, and logs them.
func workOnce(t *testing.T, s gateway.Store, leased *sync.Map, flying, done *atomic.Int32) {
	p := claimParams(7)
	p.InFlight = inFlight
	entries, err := s.Claim(t.Context(), p)
	if err != nil {
		t.Error(err)
		return
	}
	if now := flying.Add(int32(len(entries))); now > inFlight {
		t.Errorf("%d entries in flight, at most %d allowed", now, inFlight)
	}
	var outcomes []gateway.Outcome
	for _, e := range entries {
		if _, twice := leased.LoadOrStore(e.ID, true); twice {
			t.Errorf("entry %d was leased twice", e.ID)
		}
		outcomes = append(outcomes, loggedOutcome(e))
	}
	flying.Add(-int32(len(entries))) // before Finish, which lets others claim
	if _, err := s.Finish(t.Context(), outcomes); err != nil {
		t.Error(err)
	}
	done.Add(int32(len(entries)))
}
