// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

var coldTests = map[string]func(testing.TB, opening){
	// What lists, counts, waits and tries again never touches what is cold. Archived, Claim and GetAll of what is logged,
	// which have to, show that it is hidden here.
	"Cold": func(t testing.TB, o opening) {
		s := o.open()
		all := fillStore(t, s)
		held := claimEntries(t, s, start, 4)
		show := s.hideCold()
		readHot(t, s, all, held)
		if _, err := s.Archived(t.Context(), tenant, all[0].ID); err == nil {
			t.Error("Archived does not notice that cold data is hidden")
		}
		s.setClock(after(time.Hour))
		if _, err := s.Claim(t.Context(), claimParams(9)); err == nil {
			t.Error("Claim does not notice that cold data is hidden")
		}
		if _, err := s.Enqueue(t.Context(), []gateway.NewSubmission{newSubmission("new")}); err == nil {
			t.Error("Enqueue does not notice that cold data is hidden")
		}
		show()
		_, err := s.Archived(t.Context(), tenant, all[0].ID)
		noError(t, err)
		if got := claimEntries(t, s, after(time.Hour), 99); len(got) == 0 {
			t.Error("nothing left to claim")
		}
	},
}

// readHot calls all that is hot.
func readHot(t testing.TB, s *testStore, all []gateway.Submission, held []gateway.Claimed) {
	getSubmission(t, s, tenant, all[0].ID)
	waiting := slices.IndexFunc(all, func(sub gateway.Submission) bool { return sub.State == gateway.Pending })
	_, err := s.GetAll(t.Context(), tenant, []string{all[waiting].ID})
	noError(t, err)
	_, err = s.ByLeaf(t.Context(), tenant, logA, held[0].LeafHash)
	noError(t, err)
	d, g := makeDigest(0), makeSigner(0)
	for _, p := range []gateway.ListParams{
		{}, {Artifact: &d}, {Signer: &g}, {State: gateway.Logged}, {Artifact: &d, Signer: &g, State: gateway.Pending},
	} {
		if len(listAll(t, s, tenant, p)) == 0 {
			t.Errorf("nothing listed for %+v", p)
		}
	}
	_, err = s.Stats(t.Context())
	noError(t, err)
	_, err = s.Lines(t.Context())
	noError(t, err)
	_, err = s.ListLogs(t.Context())
	noError(t, err)
	if got, err := s.Progress(t.Context(), listIDs(all)); err != nil || len(got) != len(all) {
		t.Errorf("progress of %d of %d, %v", len(got), len(all), err)
	}
	_, err = s.Extend(t.Context(), []gateway.Lease{leaseOf(held[0])}, time.Minute)
	noError(t, err)
	inDoubt := retryOutcome(held[1], time.Second)
	inDoubt.InDoubt = true
	finishEntries(t, s, retryOutcome(held[0], time.Second), inDoubt, failedOutcome(held[2]))
	settleEntries(t, s, gateway.Settlement{EntryID: held[1].ID, Fence: held[1].Fence, AbsentTo: 8})
	listDoubtful(t, s, shard)
	wantCounts(t, s, map[gateway.Shard]int{shard: 1})
	known := newSubmission("0")
	if out := enqueueAll(t, s, known); !out[0].Existing {
		t.Error("a known submission is new")
	}
}
