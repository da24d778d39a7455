// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"slices"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

const nextLog, nextOrigin = "next-log", "next.example"

// openTwo returns a store with two own logs.
func (o opening) openTwo(t testing.TB) *testStore {
	s := o.openOwn(t)
	noError(t, s.AddOwnLog(t.Context(), nextLog, nextOrigin))
	return s
}

// closeOwn closes the own log for the next one, a few entries at a time, and returns the submissions that went over.
func closeOwn(t testing.TB, s gateway.Store, limit, entries int) (ids []string) {
	t.Helper()
	for more := true; more; {
		m, err := s.CloseOwnLog(t.Context(), gateway.CloseParams{Log: ownLog, To: nextLog, Limit: limit})
		noError(t, err)
		ids = append(ids, wantProgress(t, s, m.Changed)...)
		entries, more = entries-m.Entries, m.More
		if m.Kept != 0 || m.Entries > limit {
			t.Fatalf("moved %+v", m)
		}
	}
	if entries != 0 {
		t.Fatalf("%d entries more should have gone over", entries)
	}
	wantPending(t, s, ownLog, 0)
	return ids
}

// anchorNext has the next log's records anchored and Logged.
func anchorNext(t testing.TB, s gateway.Store) {
	t.Helper()
	noError(t, s.KeepAnchor(t.Context(), nextLog, gateway.OwnAnchor{Tree: readOwn(t, s, nextLog).Tree, Submission: newID("next anchor")}))
	_, err := s.LogAnchored(t.Context(), nextLog, 100)
	noError(t, err)
}

// ownCloseTests are about own logs that end.
var ownCloseTests = map[string]func(testing.TB, opening){
	// What waits goes over, once; the tree, and what is Logged in it, stay.
	"Own/closed": func(t testing.TB, o opening) {
		s := o.openTwo(t)
		subs := sequenceNames(t, s, numbered("record", 5)...)
		anchorAt(t, s, 2)
		logAnchored(t, s, 9)
		subs = append(subs, enqueueAll(t, s, ownSubmissions("queued", "queued, too")...)...)
		before, err := s.Stats(t.Context())
		noError(t, err)
		wantIDs(t, closeOwn(t, s, 2, 5), listIDs(subs[2:])...)
		after, err := s.Stats(t.Context())
		noError(t, err)
		if after.PendingBytes[ownLog] != 0 || after.PendingBytes[nextLog] != before.PendingBytes[ownLog] {
			t.Errorf("%d bytes wait, and %d in the next log, before that %d", after.PendingBytes[ownLog], after.PendingBytes[nextLog], before.PendingBytes[ownLog])
		}
		if l := readOwn(t, s, ownLog); !l.Closed || l.Tree.Size != 5 || l.Anchored.Size != 2 || l.Logged != 2 {
			t.Errorf("the closed log is %+v", l)
		}
		wantSound(t, s, ownLog)
		for i, sub := range subs {
			if i < 2 {
				wantLogs(t, s, sub, gateway.Logged, ownLog)
			} else {
				wantLogs(t, s, sub, gateway.Pending, nextLog)
			}
		}
		wantIDs(t, closeOwn(t, s, 2, 0))
		sequence(t, s, nextLog, 99, 5)
		wantIDs(t, closeOwn(t, s, 2, 0))
		if got := wantSound(t, s, nextLog); !slices.Equal(got, append(numbered("record", 5)[2:], "queued", "queued, too")) {
			t.Errorf("the next log has %q", got)
		}
		anchorNext(t, s)
		for _, sub := range subs[2:] {
			wantLogs(t, s, sub, gateway.Logged, nextLog)
		}
	},

	"Own/closed for good": func(t testing.TB, o opening) {
		s := o.openTwo(t)
		sequenceNames(t, s, numbered("record", 5)...)
		last := anchorAt(t, s, 2)
		logAnchored(t, s, 9)
		closeOwn(t, s, 9, 3)
		_, _, err := s.Sequence(t.Context(), ownLog, 9, GrowTree)
		wantError(t, err, gateway.ErrOwnLogClosed)
		wantError(t, s.AddOwnLog(t.Context(), ownLog, ownOrigin), gateway.ErrOwnLogClosed)
		wantError(t, s.AddOwnLog(t.Context(), ownLog, nextOrigin), gateway.ErrOtherOrigin)
		wantError(t, s.KeepAnchor(t.Context(), ownLog, gateway.OwnAnchor{Tree: readOwn(t, s, ownLog).Tree, Submission: newID("late")}), gateway.ErrOwnLogClosed)
		noError(t, s.KeepAnchor(t.Context(), ownLog, last))
		wantIDs(t, logAnchored(t, s, 9))
		_, err = s.CloseOwnLog(t.Context(), gateway.CloseParams{Log: nextLog, To: ownLog, Limit: 9})
		wantError(t, err, gateway.ErrOwnLogClosed)
		if l := readOwn(t, s, nextLog); l.Closed {
			t.Error("the next log is closed, too")
		}
	},

	"Own/not closed": func(t testing.TB, o opening) {
		s := o.openTwo(t)
		sub := sequenceNames(t, s, numbered("record", 3)...)[0]
		anchorAt(t, s, 2)
		for _, p := range []gateway.CloseParams{{Log: ownLog, To: nextLog}, {Log: nextLog, To: nextLog}} { // before it is Logged; to itself
			if _, err := s.CloseOwnLog(t.Context(), p); err == nil {
				t.Errorf("%+v: closed", p)
			}
		}
		for _, p := range []gateway.CloseParams{{Log: ownLog, To: noLog}, {Log: noLog, To: ownLog}} {
			_, err := s.CloseOwnLog(t.Context(), p)
			wantError(t, err, gateway.ErrNotFound)
		}
		if l := readOwn(t, s, ownLog); l.Closed {
			t.Error("it is closed")
		}
		wantLogs(t, s, sub, gateway.Pending, ownLog)
		logAnchored(t, s, 9)
		wantLogs(t, s, sub, gateway.Logged, ownLog)
	},

	// What comes for a closed log goes over as well, and is nowhere twice.
	"Own/closed, and more": func(t testing.TB, o opening) {
		s := o.openTwo(t)
		there := enqueueAll(t, s, NewSubmission(other, "there", nextLog, "shared"))[0]
		sequence(t, s, nextLog, 9, 1)
		subs := sequenceNames(t, s, "shared", "record")
		closeOwn(t, s, 9, 2)
		later := enqueueAll(t, s, NewSubmission(other, "again", ownLog, "record"), NewSubmission(other, "late", ownLog))
		again := enqueueAll(t, s, ownSubmissions("record")...)[0]
		if again.ID != subs[1].ID {
			t.Errorf("the same again is %+v", again)
		}
		wantIDs(t, closeOwn(t, s, 9, 2), listIDs(later)...)
		sequence(t, s, nextLog, 9, 2)
		wantIDs(t, closeOwn(t, s, 9, 0))
		anchorNext(t, s)
		for _, sub := range append(append(subs, later...), there) {
			wantLogs(t, s, sub, gateway.Logged, nextLog)
		}
		if got := wantSound(t, s, nextLog); !slices.Equal(got, []string{"shared", "record", "late"}) {
			t.Errorf("the next log has %q", got)
		}
		wantSound(t, s, ownLog)
	},

	// A submission is in one log with all of its entries.
	"Own/closed between two entries": func(t testing.TB, o opening) {
		s := o.openTwo(t)
		sub := enqueueAll(t, s, NewSubmission(tenant, "both", ownLog, "e1", "e2"))[0]
		sequence(t, s, ownLog, 9, 2)
		anchorAt(t, s, 1)
		logAnchored(t, s, 9)
		wantState(t, s, sub, gateway.Partial)
		wantIDs(t, closeOwn(t, s, 9, 1), sub.ID)
		wantLogs(t, s, sub, gateway.Pending, nextLog, nextLog)
		sequence(t, s, nextLog, 9, 2)
		anchorNext(t, s)
		wantLogs(t, s, sub, gateway.Logged, nextLog, nextLog)
		wantSound(t, s, ownLog)
	},

	"Own/all listed": func(t testing.TB, o opening) {
		s := o.open()
		if all, err := s.ListOwnLogs(t.Context()); err != nil || len(all) != 0 {
			t.Errorf("own logs are %+v, %v", all, err)
		}
		s = o.openTwo(t)
		sequenceNames(t, s, "one", "two")
		anchorAt(t, s, 2)
		logAnchored(t, s, 9)
		closeOwn(t, s, 9, 0)
		want := []gateway.OwnLog{readOwn(t, s, nextLog), readOwn(t, s, ownLog)}
		if all, err := s.ListOwnLogs(t.Context()); err != nil || !slices.Equal(all, want) || !all[1].Closed || all[0].Closed || all[1].Origin != ownOrigin {
			t.Errorf("own logs are %+v, %v, want %+v", all, err, want)
		}
	},
}
