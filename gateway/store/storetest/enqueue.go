// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

var enqueueTests = map[string]func(*testing.T, Open){
	"Enqueue": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		in := NewSubmission(tenant, "one", logA, start.Add(456*time.Microsecond), "e1", "e2")
		out := enqueue(t, s, in)[0]
		want := gateway.Submission{SubmissionFields: in.SubmissionFields, State: gateway.Pending}
		want.CreatedAt = start // to the millisecond
		for i, e := range in.Entries {
			want.Entries = append(want.Entries, gateway.Entry{
				ID: out.Entries[i].ID, Log: e.Log, LeafHash: e.LeafHash, Body: e.Body, State: gateway.Pending,
			})
		}
		wantSame(t, out, want)
		wantSame(t, get(t, s, tenant, in.ID), want)
		if out.Existing {
			t.Error("a new submission is Existing")
		}
	},

	"Enqueue/sparse fields": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		in := gateway.NewSubmission{
			SubmissionFields: gateway.SubmissionFields{ID: "x", Tenant: tenant, CreatedAt: start},
			Entries:          []gateway.NewEntry{newEntry(logA, "x")},
		}
		out := enqueue(t, s, in)[0]
		wantSame(t, get(t, s, tenant, "x"), out)
	},

	"Enqueue/nothing": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		enqueue(t, s)
	},

	"Enqueue/no entries": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		bad := submission("bad")
		bad.Entries = nil
		if _, err := s.Enqueue(t.Context(), []gateway.NewSubmission{submission("good"), bad}); err == nil {
			t.Fatal("a submission without entries was taken")
		}
		_, err := s.Get(t.Context(), tenant, submission("good").ID)
		wantError(t, err, gateway.ErrNotFound)
	},

	"Enqueue/known key": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		first := enqueue(t, s, submission("one"))[0]
		again := submission("one") // as a second request: another ID, a randomised body
		again.ID = "another"
		again.CreatedAt = after(time.Hour)
		again.Entries = []gateway.NewEntry{newEntry(logA, "randomised")}
		out := enqueue(t, s, submission("two"), again, submission("three"))
		if out[0].Existing || !out[1].Existing || out[2].Existing {
			t.Errorf("Existing is %v, %v, %v", out[0].Existing, out[1].Existing, out[2].Existing)
		}
		wantSame(t, out[1], first)
		wantPending(t, s, logA, 3)
		_, err := s.Get(t.Context(), tenant, "another")
		wantError(t, err, gateway.ErrNotFound)
	},

	"Enqueue/known key within a call": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		twin := submission("one")
		twin.ID = "twin"
		out := enqueue(t, s, submission("one"), twin, submission("two"), twin)
		if out[0].Existing || !out[1].Existing || out[2].Existing || !out[3].Existing {
			t.Errorf("Existing is %v, %v, %v, %v", out[0].Existing, out[1].Existing, out[2].Existing, out[3].Existing)
		}
		wantSame(t, out[1], out[0])
		wantSame(t, out[3], out[0])
		wantPending(t, s, logA, 2)
	},

	"Enqueue/many known": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		var subs []gateway.NewSubmission
		for i := range 100 {
			subs = append(subs, submission(fmt.Sprint(i)))
		}
		first := enqueue(t, s, subs...)
		for i, again := range enqueue(t, s, subs...) {
			wantSame(t, again, first[i])
		}
	},

	"Enqueue/queue full": func(t *testing.T, open Open) {
		s, _ := open(t, 2)
		enqueue(t, s, submission("one"))
		_, err := s.Enqueue(t.Context(), []gateway.NewSubmission{submission("two"), submission("three")})
		wantError(t, err, gateway.ErrQueueFull)
		_, err = s.Get(t.Context(), tenant, submission("two").ID)
		wantError(t, err, gateway.ErrNotFound)

		enqueue(t, s, submission("two"))
		enqueue(t, s, submission("one")) // adds nothing
		_, err = s.Enqueue(t.Context(), []gateway.NewSubmission{NewSubmission(tenant, "three", logB, start)})
		wantError(t, err, gateway.ErrQueueFull)

		finish(t, s, logged(claimOne(t, s, start)))
		enqueue(t, s, submission("three"))
	},

	"Enqueue/restart": func(t *testing.T, open Open) {
		s, reopen := open(t, 2)
		one, two := enqueue(t, s, submission("one"))[0], enqueue(t, s, submission("two"))[0]
		finish(t, s, logged(claimOne(t, s, start)))
		held := claimOne(t, s, start)
		one, two = get(t, s, tenant, one.ID), get(t, s, tenant, two.ID)

		s = reopen()
		wantSame(t, get(t, s, tenant, one.ID), one)
		wantSame(t, get(t, s, tenant, two.ID), two)
		wantPending(t, s, logA, 1)
		if got := claim(t, s, start, 9); len(got) != 0 {
			t.Errorf("%d entries claimed that are leased", len(got))
		}
		finish(t, s, logged(held))
		wantState(t, s, two, gateway.Logged)
	},

	"Enqueue/context": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.Enqueue(ctx, []gateway.NewSubmission{submission("one")})
		wantError(t, err, context.Canceled)
		_, err = s.Get(t.Context(), tenant, submission("one").ID)
		wantError(t, err, gateway.ErrNotFound)
		enqueue(t, s, submission("one"))
	},

	"Get": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		_, err := s.Get(t.Context(), tenant, "none")
		wantError(t, err, gateway.ErrNotFound)
		one := enqueue(t, s, submission("one"))[0]
		_, err = s.Get(t.Context(), other, one.ID)
		wantError(t, err, gateway.ErrNotFound)
	},

	"Stats": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		stats, err := s.Stats(t.Context())
		noError(t, err)
		if len(stats.Pending)+len(stats.Leased)+len(stats.Oldest) != 0 {
			t.Errorf("statistics of nothing are %+v", stats)
		}
		now := time.Now().UTC().Truncate(time.Millisecond)
		enqueue(t, s, NewSubmission(tenant, "one", logA, now), NewSubmission(tenant, "two", logA, now.Add(-time.Hour)),
			NewSubmission(tenant, "three", logB, now))
		claim(t, s, now, 1)
		stats, err = s.Stats(t.Context())
		noError(t, err)
		if stats.Pending[logA] != 2 || stats.Leased[logA] != 1 || stats.Pending[logB] != 1 || stats.Leased[logB] != 0 {
			t.Errorf("statistics are %+v", stats)
		}
		if !stats.Oldest[logA].Equal(now.Add(-time.Hour)) || !stats.Oldest[logB].Equal(now) {
			t.Errorf("oldest are %v", stats.Oldest)
		}
	},
}
