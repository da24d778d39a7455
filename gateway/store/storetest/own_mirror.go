// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// wantMirrored compares what is listed of a log with the bodies of entries by these names, in the order of their IDs.
func wantMirrored(t testing.TB, s gateway.Store, log string, names ...string) []gateway.MirroredEntry {
	t.Helper()
	all, err := s.Mirrored(t.Context(), log, 100, 1<<20)
	noError(t, err)
	got, want := []string{}, []string{}
	for _, e := range all {
		got = append(got, e.Kind+" "+string(e.Body))
	}
	for _, name := range names {
		want = append(want, "test/1 body of "+name)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("listed are %q, want %q", got, want)
	}
	return all
}

// ownMirrorTests are about what is to be recorded once more.
var ownMirrorTests = map[string]func(testing.TB, opening){
	// What becomes Logged is listed, whichever way it does, and what is not Logged, or of another log, is not. Whoever opens the store goes on with it.
	"Own/mirror": func(t testing.TB, o opening) {
		s := o.open()
		enqueueAll(t, s, newSubmission("before"))
		finishEntries(t, s, loggedOutcome(claimOne(t, s, start)))
		noError(t, s.AddMirror(t.Context(), logA))
		noError(t, s.AddMirror(t.Context(), logA))
		wantMirrored(t, s, logA)
		enqueueAll(t, s, newSubmission("logged"), newSubmission("refused"), newSubmission("later"), newSubmission("found"), newSubmission("waits"), NewSubmission(tenant, "elsewhere", logB))
		held := claimEntries(t, s, start, 4)
		doubtful := retryOutcome(held[3], 0)
		doubtful.InDoubt = true
		finishEntries(t, s, loggedOutcome(held[0]), failedOutcome(held[1]), retryOutcome(held[2], time.Hour), doubtful)
		wantMirrored(t, s, logA, "logged")
		p := claimParams(1)
		p.Log = logB
		elsewhere, err := s.Claim(t.Context(), p)
		noError(t, err)
		finishEntries(t, s, loggedOutcome(elsewhere[0]))
		settleEntries(t, s, gateway.Settlement{EntryID: held[3].ID, Fence: held[3].Fence, Inclusion: NewInclusion(9)})
		s = s.another()
		all := wantMirrored(t, s, logA, "logged", "found")
		wantMirrored(t, s, logB)
		wantMirrored(t, s, noLog)
		if len(all) == 2 && (all[0].ID != held[0].ID || all[1].ID != held[3].ID) {
			t.Errorf("listed are entries %d and %d", all[0].ID, all[1].ID)
		}
	},

	// The list is read from its beginning, and what is taken off it stays so.
	"Own/mirror list": func(t testing.TB, o opening) {
		s := o.open()
		noError(t, s.AddMirror(t.Context(), logA))
		noError(t, s.AddMirror(t.Context(), logB))
		enqueueAll(t, s, newSubmission("a"), newSubmission("b"), newSubmission("c"))
		for _, c := range claimEntries(t, s, start, 3) {
			finishEntries(t, s, loggedOutcome(c))
		}
		all := wantMirrored(t, s, logA, "a", "b", "c")
		size := len("body of a")
		for _, bounds := range [][2]int{{2, 1 << 20}, {100, 2 * size}, {100, size + 1}} {
			page, err := s.Mirrored(t.Context(), logA, bounds[0], bounds[1])
			noError(t, err)
			if len(page) != 2 || page[0].ID != all[0].ID || page[1].ID != all[1].ID {
				t.Errorf("the first two, by %v, are %+v", bounds, page)
			}
		}
		noError(t, s.ForgetMirrored(t.Context(), logB, []int64{all[0].ID}))
		noError(t, s.ForgetMirrored(t.Context(), noLog, []int64{all[0].ID}))
		noError(t, s.ForgetMirrored(t.Context(), logA, nil))
		wantMirrored(t, s, logA, "a", "b", "c")
		noError(t, s.ForgetMirrored(t.Context(), logA, []int64{all[0].ID, all[2].ID, 1 << 40}))
		wantMirrored(t, s.another(), logA, "b")
		enqueueAll(t, s, newSubmission("a"))
		wantMirrored(t, s, logA, "b")
	},

	// Anchors are not recorded once more, also where somebody else sends the same; and entries of own logs are not.
	"Own/mirror and anchors": func(t testing.TB, o opening) {
		s := o.openOwn(t)
		noError(t, s.AddMirror(t.Context(), logA))
		wantError(t, s.AddMirror(t.Context(), ownLog), gateway.ErrOwnLog)
		enqueueAll(t, s, NewSubmission(gateway.AnchorTenant(ownLog), "anchor", logA))
		enqueueAll(t, s, NewSubmission(tenant, "same", logA, "anchor"))
		enqueueAll(t, s, NewSubmission("tenant"+gateway.AnchorTenant(ownLog), "other", logA))
		for _, c := range claimEntries(t, s, start, 9) {
			finishEntries(t, s, loggedOutcome(c))
		}
		wantMirrored(t, s, logA, "other")
	},
}
