// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// acknowledgedTests have the engine crash as soon as a method has returned: what it changed is there.
var acknowledgedTests = map[string]func(testing.TB, opening){
	// What was counted and recorded with a submission is there, too.
	"Acknowledged/Enqueue": func(t testing.TB, o opening) {
		s := o.openToCrash()
		subs := enqueueAll(t, s, audited(perDay("one", 1), "1"), NewSubmission(other, "two", logB))
		s = s.crash()
		for _, sub := range subs {
			wantSame(t, getSubmission(t, s, sub.Tenant, sub.ID), sub)
		}
		archived, err := s.Archived(t.Context(), tenant, subs[0].ID)
		if err != nil || archived.Receipt == nil || len(archived.Entries) != 1 {
			t.Errorf("archived %+v, %v", archived, err)
		}
		wantAudit(t, s, tenant, recordOf(subs[0], gateway.AuditAccepted, "1", start))
		_, refused := tryEnqueue(t, s, perDay("three", 1))
		wantOverQuota(t, refused, gateway.QuotaSubmissions, 0)
	},

	// Nobody may send what may be under way.
	"Acknowledged/Claim": func(t testing.TB, o opening) {
		s := o.openToCrash()
		sub := enqueueAll(t, s, newSubmission("one"))[0]
		held := claimOne(t, s, start)
		s = s.crash()
		if e := getSubmission(t, s, tenant, sub.ID).Entries[0]; !e.InDoubt || e.Fence != held.Fence || e.Attempts != 1 || e.SentAtTreeSize == nil {
			t.Errorf("claimed entry is %+v", e)
		}
	},

	"Acknowledged/Extend": func(t testing.TB, o opening) {
		s := o.openToCrash()
		enqueueAll(t, s, newSubmission("one"))
		held := claimOne(t, s, start)
		s.setClock(after(50 * time.Second))
		extendLeases(t, s, time.Minute, leaseOf(held))
		s = s.crash()
		s.setClock(after(100 * time.Second))
		if doubts := listDoubtful(t, s, shard); len(doubts) != 0 {
			t.Errorf("the lease has ended: %+v", doubts)
		}
	},

	"Acknowledged/Finish": func(t testing.TB, o opening) {
		s := o.openToCrash()
		subs := enqueueAll(t, s, newSubmission("one"), newSubmission("two"), newSubmission("three"))
		held := claimEntries(t, s, start, 3)
		finishEntries(t, s, loggedOutcome(held[0]), failedOutcome(held[1]), retryOutcome(held[2], time.Hour))
		s = s.crash()
		for i, want := range []gateway.State{gateway.Logged, gateway.Failed, gateway.Pending} {
			if e := wantState(t, s, subs[i], want).Entries[0]; e.InDoubt {
				t.Errorf("entry is %+v", e)
			}
		}
		archived, err := s.Archived(t.Context(), tenant, subs[0].ID)
		if err != nil || archived.Entries[0].Inclusion == nil {
			t.Errorf("archived %+v, %v", archived, err)
		}
		wantPending(t, s, logA, 1)
	},

	"Acknowledged/Settle": func(t testing.TB, o opening) {
		s := o.openToCrash()
		subs := enqueueAll(t, s, newSubmission("found"), newSubmission("absent"))
		held := claimEntries(t, s, start, 2)
		s.setClock(after(time.Hour))
		settleEntries(t, s, gateway.Settlement{EntryID: held[0].ID, Fence: held[0].Fence, Inclusion: NewInclusion(1)},
			gateway.Settlement{EntryID: held[1].ID, Fence: held[1].Fence, AbsentTo: 9, Resend: true})
		s = s.crash()
		wantState(t, s, subs[0], gateway.Logged)
		if e := wantState(t, s, subs[1], gateway.Pending).Entries[0]; e.InDoubt || e.AbsentTo != 9 {
			t.Errorf("entry is %+v", e)
		}
	},

	"Acknowledged/DoubtPending": func(t testing.TB, o opening) {
		s := o.openToCrash()
		_, err := s.KeepCheckpoint(t.Context(), shard, nil, newCheckpoint(33, "kept"))
		noError(t, err)
		sub := enqueueAll(t, s, newSubmission("one"))[0]
		if n, err := s.DoubtPending(t.Context(), logA, shard); err != nil || n != 1 {
			t.Errorf("%d put in doubt: %v", n, err)
		}
		s = s.crash()
		if e := getSubmission(t, s, tenant, sub.ID).Entries[0]; !e.InDoubt {
			t.Errorf("entry is %+v", e)
		}
	},

	"Acknowledged/Move": func(t testing.TB, o opening) {
		s := o.openToCrash()
		sub := enqueueAll(t, s, planned(tenant, "one"))[0]
		wantMoved(t, moveAll(t, s, gateway.MoveParams{Planned: true}), 1, 0)
		s = s.crash()
		wantLogs(t, s, sub, gateway.Pending, logB)
	},

	"Acknowledged/Retire": func(t testing.TB, o opening) {
		s := o.openToCrash()
		sub := enqueueAll(t, s, newSubmission("one"))[0]
		retireAll(t, s, gateway.RetireParams{Log: logA})
		s = s.crash()
		wantState(t, s, sub, gateway.Failed)
		if names, err := s.RetiredLogs(t.Context()); err != nil || len(names) != 1 {
			t.Errorf("retired: %q, %v", names, err)
		}
	},

	"Acknowledged/Reinstate": func(t testing.TB, o opening) {
		s := o.openToCrash()
		enqueueAll(t, s, newSubmission("one"))
		retireAll(t, s, gateway.RetireParams{Log: logA})
		noError(t, s.Reinstate(t.Context(), logA))
		s = s.crash()
		if names, err := s.RetiredLogs(t.Context()); err != nil || len(names) != 0 {
			t.Errorf("retired: %q, %v", names, err)
		}
	},

	"Acknowledged/KeepCheckpoint": func(t testing.TB, o opening) {
		s := o.openToCrash()
		ten, eleven := newCheckpoint(10, "ten"), newCheckpoint(11, "eleven")
		wantKept(t, s, nil, ten, ten)
		if kept, err := s.KeepCheckpoint(t.Context(), shardA, &ten, eleven); err != nil || !kept.Equal(&eleven) {
			t.Errorf("kept %v, %v", kept, err)
		}
		wantCheckpoint(t, s.crash(), shardA, &eleven)
	},

	"Acknowledged/KeepFork": func(t testing.TB, o opening) {
		s := o.openToCrash()
		noError(t, s.KeepFork(t.Context(), newFork(shardA, "it")))
		wantError(t, s.crash().Forked(t.Context(), shardA), gateway.ErrFork)
	},

	"Acknowledged/AddOwnLog": func(t testing.TB, o opening) {
		s := o.openToCrash()
		noError(t, s.AddOwnLog(t.Context(), ownLog, ownOrigin))
		s = s.crash()
		readOwn(t, s, ownLog)
	},

	"Acknowledged/CloseOwnLog": func(t testing.TB, o opening) {
		s := o.openToCrash()
		noError(t, s.AddOwnLog(t.Context(), ownLog, ownOrigin))
		noError(t, s.AddOwnLog(t.Context(), nextLog, nextOrigin))
		sub := enqueueAll(t, s, ownSubmissions("one")...)[0]
		closeOwn(t, s, 9, 1)
		s = s.crash()
		if l := readOwn(t, s, ownLog); !l.Closed {
			t.Errorf("the log is %+v", l)
		}
		wantLogs(t, s, sub, gateway.Pending, nextLog)
	},

	// No index is given twice.
	"Acknowledged/Sequence": func(t testing.TB, o opening) {
		s := o.openToCrash()
		noError(t, s.AddOwnLog(t.Context(), ownLog, ownOrigin))
		enqueueAll(t, s, ownSubmissions("one", "two", "three")...)
		l := sequence(t, s, ownLog, 2, 2)
		s = s.crash()
		got := readOwn(t, s, ownLog)
		l.Doubted = got.Doubted // as it is where the files were copied
		if got != l {
			t.Errorf("the log is %+v, was %+v", got, l)
		}
		noError(t, s.AddOwnLog(t.Context(), ownLog, ownOrigin))
		_, err := s.DoubtPending(t.Context(), ownLog, gateway.Shard{}) // as whoever has looked that it is not older than what is anchored
		noError(t, err)
		sequence(t, s, ownLog, 9, 1)
		wantSound(t, s, ownLog)
	},

	"Acknowledged/KeepAnchor": func(t testing.TB, o opening) {
		s := o.openToCrash()
		noError(t, s.AddOwnLog(t.Context(), ownLog, ownOrigin))
		sequenceNames(t, s, "one", "two")
		a := anchorAt(t, s, 1)
		s = s.crash()
		if got, err := s.OwnAnchor(t.Context(), ownLog, 0); err != nil || got != a {
			t.Errorf("anchored is %+v, %v", got, err)
		}
	},

	"Acknowledged/LogAnchored": func(t testing.TB, o opening) {
		s := o.openToCrash()
		noError(t, s.AddOwnLog(t.Context(), ownLog, ownOrigin))
		subs := sequenceNames(t, s, "one", "two")
		anchorAt(t, s, 1)
		wantIDs(t, logAnchored(t, s, 9), subs[0].ID)
		s = s.crash()
		for i, sub := range subs {
			wantLogged(t, s, sub, i, i == 0)
		}
		wantPending(t, s, ownLog, 1)
		wantSound(t, s, ownLog)
	},
}
