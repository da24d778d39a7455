// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// nextShard is what the tests' log becomes when its key is rotated.
var nextShard = gateway.Shard{Origin: shard.Origin, KeyID: [32]byte{2}}

var doubtTests = map[string]func(*testing.T, opener){
	// In doubt is what came back without an outcome, and what nobody has a lease on any more.
	"Doubtful": func(t *testing.T, open opener) {
		s, reopen := open(t, 0)
		enqueueAll(t, s, newSubmission("back"), newSubmission("lapsed"), newSubmission("not sent"), newSubmission("held"), newSubmission("new"))
		held := claimEntries(t, s, start, 4)
		back := retryOutcome(held[0], time.Hour)
		back.InDoubt = true
		finishEntries(t, s, back, retryOutcome(held[2], time.Hour))
		extendLeases(t, s, time.Hour, leaseOf(held[3]))
		if got := listDoubtful(t, s, shard); len(got) != 1 || got[0].ID != held[0].ID || got[0].SentAgo != 0 {
			t.Errorf("in doubt at first: %+v", got)
		}
		s.setClock(after(2 * time.Minute))
		for range 2 {
			if got := listDoubtful(t, s, shard); len(got) != 2 || got[0].ID != held[0].ID || got[1].ID != held[1].ID ||
				!got[0].InDoubt || got[0].Fence != held[0].Fence || *got[0].SentAtTreeSize != 7 || got[0].LeafHash != held[0].LeafHash {
				t.Fatalf("in doubt: %+v", got)
			}
			s = reopen()
		}
	},

	"Doubtful/sent ago": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		enqueueAll(t, s, newSubmission("back"), newSubmission("lapsed"))
		held := claimEntries(t, s, start, 2)
		back := retryOutcome(held[0], 0)
		back.InDoubt = true
		s.setClock(after(time.Second))
		finishEntries(t, s, back)
		s.setClock(after(90 * time.Second))
		if got := listDoubtful(t, s, shard); len(got) != 2 || got[0].SentAgo != 89*time.Second || got[1].SentAgo != 30*time.Second {
			t.Errorf("in doubt: %+v", got)
		}
		s.setClock(start) // set back
		if got := listDoubtful(t, s, shard); len(got) != 1 || got[0].SentAgo != 0 {
			t.Errorf("in doubt, by a clock set back: %+v", got)
		}
	},

	"Doubtful/pages": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		for i := range 7 {
			enqueueAll(t, s, newSubmission(fmt.Sprint(i)), NewSubmission(tenant, fmt.Sprint("b", i), logB))
		}
		held := claimEntries(t, s, start, 7)
		var outcomes []gateway.Outcome
		for _, c := range held[:4] {
			o := retryOutcome(c, 0)
			o.InDoubt = true
			outcomes = append(outcomes, o)
		}
		slices.Reverse(outcomes)
		finishEntries(t, s, outcomes...)
		s.setClock(after(time.Hour))
		var got []int64
		p := gateway.DoubtParams{Log: logA, Shard: shard, Limit: 3}
		for {
			doubts, err := s.Doubtful(t.Context(), p)
			noError(t, err)
			if len(doubts) == 0 {
				break
			}
			for _, d := range doubts {
				got = append(got, d.ID)
				p.After = d.ID
			}
		}
		if len(got) != 7 || !slices.IsSorted(got) || got[0] != held[0].ID {
			t.Errorf("in doubt: %d", got)
		}
	},

	// What was sent to another shard is not this one's; each is counted.
	"Doubtful/shards": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		enqueueAll(t, s, newSubmission("one"), newSubmission("two"))
		one := claimOne(t, s, start)
		p := claimParams(9)
		p.Shard = nextShard
		if _, err := s.Claim(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		wantCounts(t, s, map[gateway.Shard]int{})
		s.setClock(after(time.Hour))
		for of, first := range map[gateway.Shard]bool{shard: true, nextShard: false} {
			if doubts := listDoubtful(t, s, of); len(doubts) != 1 || (doubts[0].ID == one.ID) != first {
				t.Errorf("in doubt in %+v: %+v", of, doubts)
			}
		}
		wantCounts(t, s, map[gateway.Shard]int{shard: 1, nextShard: 1})
	},

	// What an earlier release sent, which stored no shards, is for who asks for it.
	"Doubtful/unknown shard": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		enqueueAll(t, s, newSubmission("one"), newSubmission("two"))
		claimOne(t, s, start)
		p := claimParams(9)
		p.Shard = gateway.Shard{}
		if _, err := s.Claim(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		s.setClock(after(time.Hour))
		for unknown, want := range map[bool]int{false: 1, true: 2} {
			got, err := s.Doubtful(t.Context(), gateway.DoubtParams{Log: logA, Shard: shard, Unknown: unknown, Limit: 9})
			if err != nil || len(got) != want {
				t.Errorf("unknown %t: %+v, %v", unknown, got, err)
			}
		}
		wantCounts(t, s, map[gateway.Shard]int{shard: 1, {}: 1})
	},

	"Settle/found": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		sub := enqueueAll(t, s, newSubmission("one"))[0]
		c := claimOne(t, s, start)
		s.setClock(after(time.Hour))
		wantIDs(t, settleEntries(t, s, gateway.Settlement{EntryID: c.ID, Fence: c.Fence, Inclusion: NewInclusion(41)}), sub.ID)
		if e := wantState(t, s, sub, gateway.Logged).Entries[0]; e.LogIndex == nil || *e.LogIndex != 41 || e.InDoubt {
			t.Errorf("entry is %+v", e)
		}
		wantPending(t, s, logA, 0)
		archived, err := s.Archived(t.Context(), tenant, sub.ID)
		noError(t, err)
		if got := archived.Entries[0].Inclusion; got == nil || string(got.Proof) != string(NewInclusion(41).Proof) {
			t.Errorf("the inclusion is %+v", got)
		}
	},

	// Absence that is proven stays proven.
	"Settle/absent": func(t *testing.T, open opener) {
		s, reopen := open(t, 0)
		sub := enqueueAll(t, s, newSubmission("one"))[0]
		c := claimOne(t, s, start)
		s.setClock(after(time.Hour))
		for _, step := range []struct{ absentTo, want uint64 }{{10, 10}, {8, 10}, {0, 10}, {11, 11}} {
			wantIDs(t, settleEntries(t, s, gateway.Settlement{EntryID: c.ID, Fence: c.Fence, AbsentTo: step.absentTo}))
			if got := listDoubtful(t, s, shard); len(got) != 1 || got[0].AbsentTo != step.want || got[0].Fence != c.Fence {
				t.Errorf("in doubt after %+v: %+v", step, got)
			}
		}
		s = reopen()
		if e := wantState(t, s, sub, gateway.Pending).Entries[0]; e.AbsentTo != 11 || !e.InDoubt {
			t.Errorf("entry is %+v", e)
		}
		if _, err := s.Settle(t.Context(), []gateway.Settlement{{EntryID: c.ID, Fence: c.Fence, AbsentTo: 1 << 63}}); err == nil {
			t.Error("absence to 2^63 was stored")
		}
	},

	"Settle/resend": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		enqueueAll(t, s, newSubmission("one"))
		o := retryOutcome(claimOne(t, s, start), time.Hour)
		o.InDoubt = true
		finishEntries(t, s, o)
		wantIDs(t, settleEntries(t, s, gateway.Settlement{EntryID: o.EntryID, Fence: o.Fence, AbsentTo: 20, Resend: true}))
		if got := listDoubtful(t, s, shard); len(got) != 0 {
			t.Errorf("still in doubt: %+v", got)
		}
		if early := claimEntries(t, s, after(time.Hour-time.Millisecond), 1); len(early) != 0 {
			t.Errorf("claimed before its time: %+v", early)
		}
		if c := claimOne(t, s, after(time.Hour)); c.InDoubt || c.AbsentTo != 20 || c.Fence <= o.Fence || c.Attempts != 2 {
			t.Errorf("claimed again: %+v", c)
		}
	},

	// A settlement is of what was read: nobody may have touched the entry since.
	"Settle/fenced": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		subs := enqueueAll(t, s, newSubmission("good"), newSubmission("held"), newSubmission("resent"), newSubmission("logged"), newSubmission("cleared"))
		c := claimEntries(t, s, start, 5)
		extendLeases(t, s, time.Hour, leaseOf(c[1]))
		s.setClock(after(2 * time.Minute))
		settleEntries(t, s, gateway.Settlement{EntryID: c[2].ID, Fence: c[2].Fence, Resend: true})
		claimOne(t, s, after(2*time.Minute))
		finishEntries(t, s, loggedOutcome(c[3]), retryOutcome(c[4], time.Hour))
		for _, say := range []func(*gateway.Settlement){
			func(x *gateway.Settlement) { x.AbsentTo = 9 }, func(x *gateway.Settlement) { x.Resend = true },
			func(x *gateway.Settlement) { x.Inclusion = NewInclusion(1) },
		} {
			for _, stale := range c[1:] {
				x := gateway.Settlement{EntryID: stale.ID, Fence: stale.Fence}
				say(&x)
				changed, err := s.Settle(t.Context(), []gateway.Settlement{x})
				wantError(t, err, gateway.ErrLeaseLost)
				wantIDs(t, wantProgress(t, s, changed))
			}
		}
		changed, err := s.Settle(t.Context(), []gateway.Settlement{
			{EntryID: c[1].ID, Fence: c[1].Fence, Inclusion: NewInclusion(1)}, {EntryID: c[0].ID, Fence: c[0].Fence, Inclusion: NewInclusion(2)},
		})
		wantError(t, err, gateway.ErrLeaseLost)
		wantIDs(t, wantProgress(t, s, changed), subs[0].ID)
		for i, want := range []gateway.State{gateway.Logged, gateway.Pending, gateway.Pending, gateway.Logged, gateway.Pending} {
			if e := wantState(t, s, subs[i], want).Entries[0]; e.AbsentTo != 0 {
				t.Errorf("%d: absent to %d", i, e.AbsentTo)
			}
		}
	},

	// Who was thought dead, and comes late with an outcome, is heard until the entry is claimed again.
	"Settle/late outcome": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		sub := enqueueAll(t, s, newSubmission("one"))[0]
		c := claimOne(t, s, start)
		s.setClock(after(time.Hour))
		settleEntries(t, s, gateway.Settlement{EntryID: c.ID, Fence: c.Fence, AbsentTo: 9, Resend: true})
		finishEntries(t, s, loggedOutcome(c))
		wantState(t, s, sub, gateway.Logged)
	},

	"Settle/malformed": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		sub := enqueueAll(t, s, newSubmission("one"))[0]
		c := claimOne(t, s, start)
		s.setClock(after(time.Hour))
		noKind, noProof, huge, both := NewInclusion(1), NewInclusion(1), NewInclusion(1), NewInclusion(1)
		noKind.Kind, noProof.Proof, huge.Index = "", nil, 1<<63
		for _, bad := range []gateway.Settlement{{Inclusion: noKind}, {Inclusion: noProof}, {Inclusion: huge}, {Inclusion: both, Resend: true}} {
			bad.EntryID, bad.Fence = c.ID, c.Fence
			if changed, err := s.Settle(t.Context(), []gateway.Settlement{bad}); err == nil || len(changed) != 0 {
				t.Errorf("%+v: %+v, %v", bad, changed, err)
			}
		}
		wantState(t, s, sub, gateway.Pending)
		wantIDs(t, settleEntries(t, s))
	},

	// What is pending is put in doubt, and looked for from where it may be.
	"DoubtPending": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		kept := newCheckpoint(33, "kept")
		_, err := s.KeepCheckpoint(t.Context(), shard, nil, kept)
		noError(t, err)
		enqueueAll(t, s, newSubmission("sent"), newSubmission("logged"), newSubmission("elsewhere"), newSubmission("new"))
		enqueueAll(t, s, NewSubmission(tenant, "other log", logB))
		held := claimEntries(t, s, start, 2)
		finishEntries(t, s, retryOutcome(held[0], time.Hour), loggedOutcome(held[1]))
		p := claimParams(1)
		p.Shard = nextShard
		elsewhere, err := s.Claim(t.Context(), p)
		noError(t, err)
		finishEntries(t, s, retryOutcome(elsewhere[0], 0))
		for _, want := range []int{2, 0} {
			if got, err := s.DoubtPending(t.Context(), logA, shard); err != nil || got != want {
				t.Fatalf("%d put in doubt, want %d: %v", got, want, err)
			}
		}
		doubts := listDoubtful(t, s, shard)
		if len(doubts) != 2 || *doubts[0].SentAtTreeSize != 7 || doubts[0].LastSentAt.IsZero() || *doubts[1].SentAtTreeSize != kept.Size ||
			!doubts[1].LastSentAt.IsZero() || doubts[1].Shard != shard {
			t.Errorf("in doubt: %+v", doubts)
		}
		if got := claimEntries(t, s, after(2*time.Hour), 9); len(got) != 1 || got[0].ID != elsewhere[0].ID {
			t.Errorf("claimed %+v", got)
		}
	},

	// Before a checkpoint is kept nothing is sent.
	"DoubtPending/no checkpoint": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		enqueueAll(t, s, newSubmission("new"))
		if n, err := s.DoubtPending(t.Context(), logA, shard); err != nil || n != 0 {
			t.Errorf("%d put in doubt: %v", n, err)
		}
		claimOne(t, s, start)
	},

	"DoubtPending/while leased": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		_, err := s.KeepCheckpoint(t.Context(), shard, nil, newCheckpoint(33, "kept"))
		noError(t, err)
		enqueueAll(t, s, newSubmission("sent"), newSubmission("leased"), newSubmission("new"))
		held := claimEntries(t, s, start, 2)
		finishEntries(t, s, retryOutcome(held[0], 0))
		if n, err := s.DoubtPending(t.Context(), logA, shard); err != nil || n != 0 {
			t.Errorf("%d put in doubt while there is a lease: %v", n, err)
		}
		if n, err := s.DoubtPending(t.Context(), logB, shard); err != nil || n != 0 {
			t.Errorf("%d put in doubt of a log that has nothing: %v", n, err)
		}
		s.setClock(after(time.Hour))
		if n, err := s.DoubtPending(t.Context(), logA, shard); err != nil || n != 2 {
			t.Errorf("%d put in doubt: %v", n, err)
		}
	},
}
