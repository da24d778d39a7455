// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

var enqueueTests = map[string]func(*testing.T, opener){
	"Enqueue": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		in := NewSubmission(tenant, "one", logA, "e1", "e2")
		in.Signatures = append(in.Signatures, gateway.RecordedSignature{
			Signers: [][32]byte{makeSigner(1), makeSigner(2)}, Representation: gateway.Attested, Way: gateway.Direct, Evidence: formats.EvidenceDigest,
		})
		in.Entries[1].Of = 1
		out := enqueueAll(t, s, in)[0]
		want := gateway.Submission{SubmissionFields: in.SubmissionFields, CreatedAt: start, State: gateway.Pending}
		for i, e := range in.Entries {
			want.Entries = append(want.Entries, gateway.Entry{
				ID: out.Entries[i].ID, Log: e.Log, LeafHash: e.LeafHash, Kind: e.Kind, Of: i, State: gateway.Pending,
			})
		}
		wantSame(t, out, want)
		wantSame(t, getSubmission(t, s, tenant, in.ID), want)
		if out.Existing {
			t.Error("a new submission is Existing")
		}
	},

	"Enqueue/sparse fields": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		in := gateway.NewSubmission{
			SubmissionFields: gateway.SubmissionFields{ID: newID("x"), Tenant: tenant, Needed: 1},
			Entries:          []gateway.NewEntry{newEntry(logA, "x")},
		}
		in.Entries[0].Kind, in.Entries[0].Body, in.Entries[0].Signature = "", nil, nil
		out := enqueueAll(t, s, in)[0]
		wantSame(t, getSubmission(t, s, tenant, in.ID), out)
		archived, err := s.Archived(t.Context(), tenant, in.ID)
		noError(t, err)
		if archived.Receipt != nil || len(archived.Entries) != 1 || len(archived.Entries[0].Body) != 0 || archived.Entries[0].Tokens != nil {
			t.Errorf("archived is %+v", archived)
		}
	},

	"Enqueue/nothing": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		enqueueAll(t, s)
	},

	// What cannot be stored takes nothing else with it, wherever in the call it stands.
	"Enqueue/impossible": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		taken := newSubmission("taken")
		enqueueAll(t, s, taken)
		for name, spoil := range unstorable {
			bad := newSubmission("bad " + name)
			spoil(&bad)
			before, after := newSubmission("before "+name), newSubmission("after "+name)
			out, refused := tryEnqueue(t, s, before, bad, after, bad)
			for _, i := range []int{1, 3} {
				if !errors.Is(refused[i], gateway.ErrUnstorable) {
					t.Errorf("%s: error is %v", name, refused[i])
				}
			}
			for _, i := range []int{0, 2} {
				noError(t, refused[i])
				wantSame(t, getSubmission(t, s, tenant, out[i].ID), out[i])
			}
		}
		if got := getSubmission(t, s, tenant, taken.ID); got.Key != taken.Key {
			t.Errorf("stored over by %+v", got)
		}
		wantPending(t, s, logA, 1+2*len(unstorable))
	},

	// CreatedAt is by the store's clock, and in milliseconds.
	"Enqueue/clock": func(t *testing.T, open opener) {
		s, reopen := open(t, 0)
		s.setClock(after(time.Hour))
		one := enqueueAll(t, s, newSubmission("one"))[0]
		s.setClock(after(2 * time.Hour))
		if again := enqueueAll(t, s, newSubmission("one"))[0]; !sameTime(again.CreatedAt, after(time.Hour)) {
			t.Errorf("created at %v", again.CreatedAt)
		}
		wantSame(t, getSubmission(t, reopen(), tenant, one.ID), one)
	},

	// However an ID is written, it comes back in the one form that UUIDs have.
	"Enqueue/forms of an ID": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		in := newSubmission("one")
		want := in.ID
		in.ID = strings.ReplaceAll(want, "-", "")
		if got := enqueueAll(t, s, in)[0].ID; got != want {
			t.Errorf("stored as %q, want %q", got, want)
		}
		for _, form := range []string{want, in.ID, strings.ToUpper(want)} {
			if got := getSubmission(t, s, tenant, form).ID; got != want {
				t.Errorf("%q is %q", form, got)
			}
		}
	},

	"Enqueue/known key": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		first := enqueueAll(t, s, newSubmission("one"))[0]
		again := newSubmission("one") // as a second request: another ID, a randomised body
		again.ID = newID("another")
		s.setClock(after(time.Hour))
		again.Entries = []gateway.NewEntry{newEntry(logA, "randomised")}
		out := enqueueAll(t, s, newSubmission("two"), again, newSubmission("three"))
		if out[0].Existing || !out[1].Existing || out[2].Existing {
			t.Errorf("Existing is %v, %v, %v", out[0].Existing, out[1].Existing, out[2].Existing)
		}
		wantSame(t, out[1], first)
		wantPending(t, s, logA, 3)
		_, err := s.Get(t.Context(), tenant, again.ID)
		wantError(t, err, gateway.ErrNotFound)
	},

	"Enqueue/known key within a call": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		twin := newSubmission("one")
		twin.ID = newID("twin")
		out := enqueueAll(t, s, newSubmission("one"), twin, newSubmission("two"), twin)
		if out[0].Existing || !out[1].Existing || out[2].Existing || !out[3].Existing {
			t.Errorf("Existing is %v, %v, %v, %v", out[0].Existing, out[1].Existing, out[2].Existing, out[3].Existing)
		}
		wantSame(t, out[1], out[0])
		wantSame(t, out[3], out[0])
		wantPending(t, s, logA, 2)
	},

	"Enqueue/many known": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		var subs []gateway.NewSubmission
		for i := range 100 {
			subs = append(subs, newSubmission(fmt.Sprint(i)))
		}
		first := enqueueAll(t, s, subs...)
		for i, again := range enqueueAll(t, s, subs...) {
			wantSame(t, again, first[i])
		}
	},

	// What does not fit is refused, and what fits is not, in the order of the call.
	"Enqueue/queue full": func(t *testing.T, open opener) {
		s, _ := open(t, 2)
		enqueueAll(t, s, newSubmission("one"))
		wide := NewSubmission(tenant, "wide", logA, "w1", "w2")
		_, refused := tryEnqueue(t, s, wide, newSubmission("two"), newSubmission("three"), newSubmission("one"), newSubmission("two"))
		wantRefused(t, refused, 0, 2)
		wantPending(t, s, logA, 2)
		_, err := s.Get(t.Context(), tenant, newSubmission("three").ID)
		wantError(t, err, gateway.ErrNotFound)

		_, refused = tryEnqueue(t, s, NewSubmission(tenant, "three", logB), NewSubmission(other, "shares", logA, "one", "two"))
		wantRefused(t, refused, 0) // the second adds nothing

		finishEntries(t, s, loggedOutcome(claimOne(t, s, start)))
		enqueueAll(t, s, newSubmission("three"))
		wantPending(t, s, logA, 2)
	},

	"Enqueue/restart": func(t *testing.T, open opener) {
		s, reopen := open(t, 2)
		one, two := enqueueAll(t, s, newSubmission("one"))[0], enqueueAll(t, s, newSubmission("two"))[0]
		finishEntries(t, s, loggedOutcome(claimOne(t, s, start)))
		held := claimOne(t, s, start)
		one, two = getSubmission(t, s, tenant, one.ID), getSubmission(t, s, tenant, two.ID)

		s = reopen()
		wantSame(t, getSubmission(t, s, tenant, one.ID), one)
		wantSame(t, getSubmission(t, s, tenant, two.ID), two)
		wantPending(t, s, logA, 1)
		if got := claimEntries(t, s, start, 9); len(got) != 0 {
			t.Errorf("%d entries claimed that are leased", len(got))
		}
		finishEntries(t, s, loggedOutcome(held))
		wantState(t, s, two, gateway.Logged)
	},

	"Enqueue/context": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.Enqueue(ctx, []gateway.NewSubmission{newSubmission("one")})
		wantError(t, err, context.Canceled)
		_, err = s.Get(t.Context(), tenant, newSubmission("one").ID)
		wantError(t, err, gateway.ErrNotFound)
		enqueueAll(t, s, newSubmission("one"))
	},

	"Get": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		for _, id := range []string{"none", "", newID("none")} {
			_, err := s.Get(t.Context(), tenant, id)
			wantError(t, err, gateway.ErrNotFound)
		}
		one := enqueueAll(t, s, newSubmission("one"))[0]
		_, err := s.Get(t.Context(), other, one.ID)
		wantError(t, err, gateway.ErrNotFound)
	},

	"Progress": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		subs := enqueueAll(t, s, NewSubmission(tenant, "one", logA, "e1", "e2"), NewSubmission(other, "two", logA, "e1"), newSubmission("three"))
		held := claimEntries(t, s, start, 1)
		finishEntries(t, s, loggedOutcome(held[0]))
		for _, sub := range subs {
			found, err := s.Progress(t.Context(), []string{"none", "", newID("none"), sub.ID})
			noError(t, err)
			stored := getSubmission(t, s, sub.Tenant, sub.ID)
			if want := stored.Progress(); len(found) != 1 || !reflect.DeepEqual(found[0], want) {
				t.Errorf("progress is %+v, want %+v", found, want)
			}
		}
		if found, err := s.Progress(t.Context(), nil); err != nil || len(found) != 0 {
			t.Errorf("progress of nothing is %+v, %v", found, err)
		}
		found, err := s.Progress(t.Context(), []string{subs[0].ID, subs[1].ID, subs[2].ID})
		if err != nil || len(found) != 3 {
			t.Errorf("progress of three is %+v, %v", found, err)
		}
	},

	"Stats/stuck": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		enqueueAll(t, s, newSubmission("one"), newSubmission("two"), NewSubmission(tenant, "three", logB))
		for i := range gateway.StuckAttempts + 1 {
			want := 0
			if i >= gateway.StuckAttempts {
				want = 1
			}
			if stats, err := s.Stats(t.Context()); err != nil || stats.Stuck[logA] != want || stats.Stuck[logB] != 0 {
				t.Fatalf("after %d attempts: %+v, %v", i, stats, err)
			}
			finishEntries(t, s, retryOutcome(claimOne(t, s, start), 0))
		}
		finishEntries(t, s, loggedOutcome(claimOne(t, s, start)))
		if stats, err := s.Stats(t.Context()); err != nil || stats.Stuck[logA] != 0 {
			t.Errorf("%+v, %v", stats, err)
		}
	},

	"Lines": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		want := func(want map[string]int, oldest map[string]time.Duration) {
			t.Helper()
			lines, err := s.Lines(t.Context())
			noError(t, err)
			entries, ages := map[string]int{}, map[string]time.Duration{}
			for _, l := range lines {
				if l.Entries > 0 {
					entries[l.Log+" "+l.Priority.String()], ages[l.Log+" "+l.Priority.String()] = l.Entries, l.Oldest
				}
			}
			if !maps.Equal(entries, want) || !maps.Equal(ages, oldest) {
				t.Errorf("in line are %v, aged %v; want %v, aged %v", entries, ages, want, oldest)
			}
		}
		backfill := func(tenant, name string) gateway.NewSubmission {
			sub := NewSubmission(tenant, name, logB)
			sub.Priority = gateway.Backfill
			return sub
		}
		want(map[string]int{}, map[string]time.Duration{})
		enqueueAll(t, s, newSubmission("one"), backfill(tenant, "old"))
		s.setClock(after(time.Minute))
		enqueueAll(t, s, newSubmission("two"), NewSubmission(tenant, "live", logB), backfill("another", "young"), backfill(tenant, "youngest"))
		s.setClock(after(time.Hour))
		want(map[string]int{logA + " interactive": 2, logB + " interactive": 1, logB + " backfill": 3},
			map[string]time.Duration{logA + " interactive": time.Hour, logB + " interactive": time.Hour - time.Minute, logB + " backfill": time.Hour})
		claimed := claimEntries(t, s, after(time.Hour), 1) // of logA, the oldest
		want(map[string]int{logA + " interactive": 1, logB + " interactive": 1, logB + " backfill": 3},
			map[string]time.Duration{logA + " interactive": time.Hour - time.Minute, logB + " interactive": time.Hour - time.Minute, logB + " backfill": time.Hour})
		_, err := s.Finish(t.Context(), []gateway.Outcome{retryOutcome(claimed[0], time.Hour)})
		noError(t, err)
		want(map[string]int{logA + " interactive": 1, logB + " interactive": 1, logB + " backfill": 3}, // one waits for its time
			map[string]time.Duration{logA + " interactive": time.Hour - time.Minute, logB + " interactive": time.Hour - time.Minute, logB + " backfill": time.Hour})
	},

	"Lines/first": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		var ids []int64
		for _, sub := range enqueueAll(t, s, newSubmission("one"), NewSubmission("another", "two", logA), newSubmission("three")) {
			stored, err := s.Get(t.Context(), sub.Tenant, sub.ID)
			noError(t, err)
			ids = append(ids, stored.Entries[0].ID)
		}
		for _, id := range append(ids, 0) { // each is claimed before the next look
			lines, err := s.Lines(t.Context())
			noError(t, err)
			if i := slices.IndexFunc(lines, func(l gateway.Line) bool { return l.Log == logA && l.Priority == gateway.Interactive }); lines[i].First != id {
				t.Errorf("the first in line is %d, want %d of %d", lines[i].First, id, ids)
			}
			claimEntries(t, s, start, 1)
		}
	},

	"Stats": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		stats, err := s.Stats(t.Context())
		noError(t, err)
		if len(stats.Pending)+len(stats.PendingBytes)+len(stats.Leased)+len(stats.Oldest) != 0 {
			t.Errorf("statistics of nothing are %+v", stats)
		}
		enqueueAll(t, s, newSubmission("one"))
		s.setClock(after(time.Hour))
		enqueueAll(t, s, newSubmission("two"), NewSubmission(tenant, "three", logB))
		claimEntries(t, s, after(time.Hour+time.Second), 1)
		stats, err = s.Stats(t.Context())
		noError(t, err)
		if stats.Pending[logA] != 2 || stats.Leased[logA] != 1 || stats.Pending[logB] != 1 || stats.Leased[logB] != 0 {
			t.Errorf("statistics are %+v", stats)
		}
		for log, want := range map[string]int{logA: 2, logB: 1} { // at least the entries' bodies
			if least := int64(want * len(newSubmission("one").Entries[0].Body)); stats.PendingBytes[log] < least {
				t.Errorf("%d bytes are pending in %s, want at least %d", stats.PendingBytes[log], log, least)
			}
		}
		if stats.Oldest[logA] != time.Hour+time.Second || stats.Oldest[logB] != time.Second {
			t.Errorf("oldest are %v", stats.Oldest)
		}
		s.setClock(after(time.Hour + time.Minute + time.Second)) // the lease is over
		stats, err = s.Stats(t.Context())
		noError(t, err)
		if stats.Leased[logA] != 0 || stats.Pending[logA] != 2 {
			t.Errorf("statistics are %+v", stats)
		}
	},
}
