// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

var extendTests = map[string]func(*testing.T, Open){
	"Extend": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		enqueue(t, s, submission("held"), submission("left"))
		held, left := claimOne(t, s, start), claimOne(t, s, start)
		noError(t, s.Extend(t.Context(), []gateway.Lease{{EntryID: held.ID, Fence: held.Fence}}, after(time.Second), after(time.Hour)))
		lapsed := claim(t, s, after(2*time.Minute), 9)
		if len(lapsed) != 1 || lapsed[0].ID != left.ID {
			t.Fatalf("claimed %d entries, want only the one whose lease was not extended", len(lapsed))
		}
		again := claimOne(t, s, after(2*time.Hour))
		if again.ID == held.ID && !again.LastSentAt.Equal(after(time.Second)) {
			t.Errorf("last sent at %v, want the time of the extension", again.LastSentAt)
		}
	},

	"Extend/lost": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		enqueue(t, s, submission("one"))
		old := claimOne(t, s, start)
		now := claimOne(t, s, after(2*time.Minute))
		noError(t, s.Extend(t.Context(), []gateway.Lease{{EntryID: old.ID, Fence: old.Fence}}, after(2*time.Minute), after(time.Hour)))
		if got := claim(t, s, after(10*time.Minute), 9); len(got) != 1 {
			t.Fatal("a lost lease was extended")
		}
		noError(t, s.Extend(t.Context(), nil, start, start))
		if err := s.Extend(t.Context(), []gateway.Lease{{EntryID: now.ID, Fence: now.Fence}}, start, start); err == nil {
			t.Error("a lease was extended to nothing")
		}
		if _, err := s.Finish(t.Context(), []gateway.Outcome{logged(now)}); err == nil {
			t.Error("a lost lease was finished")
		}
	},

	"Extend/finished": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		enqueue(t, s, submission("one"))
		e := claimOne(t, s, start)
		finish(t, s, retry(e, after(time.Second)))
		noError(t, s.Extend(t.Context(), []gateway.Lease{{EntryID: e.ID, Fence: e.Fence}}, start, after(time.Hour)))
		if got := claim(t, s, after(2*time.Second), 9); len(got) != 1 {
			t.Error("a released lease was extended")
		}
	},
}
