// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// renewed returns a submission under a key of its own that may be stored under those of others.
func renewed(name string, formerly ...gateway.NewSubmission) gateway.NewSubmission {
	s := submission(name)
	for _, f := range formerly {
		s.FormerKeys = append(s.FormerKeys, f.Key)
	}
	return s
}

// A submission is also known by the keys of earlier releases.
var formerTests = map[string]func(*testing.T, opener){
	"FormerKeys": func(t *testing.T, open opener) {
		s, reopen := open(t, 0)
		first := enqueue(t, s, submission("old"))[0]
		s = reopen()
		out := enqueue(t, s, renewed("a", submission("never stored"), submission("old")), renewed("b", submission("never stored")))
		if !out[0].Existing || out[1].Existing {
			t.Fatalf("Existing is %v, %v", out[0].Existing, out[1].Existing)
		}
		wantSame(t, out[0], first) // under the key that it has
		wantPending(t, s, logA, 2)
	},

	"FormerKeys/another tenant": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		enqueue(t, s, submission("old"))
		foreign := NewSubmission(other, "new", logA)
		foreign.FormerKeys = []gateway.SubmissionKey{submission("old").Key}
		if enqueue(t, s, foreign)[0].Existing {
			t.Error("another tenant's submission was found by its key")
		}
	},

	"FormerKeys/within a call": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		out := enqueue(t, s, renewed("a", submission("old")), submission("old"), renewed("b", submission("a")), renewed("c", submission("old")))
		// The first has "old" as a former key only, so the second is not it, but the fourth is the second.
		if out[0].Existing || out[1].Existing || !out[2].Existing || !out[3].Existing {
			t.Fatalf("Existing is %v, %v, %v, %v", out[0].Existing, out[1].Existing, out[2].Existing, out[3].Existing)
		}
		wantSame(t, out[2], out[0])
		wantSame(t, out[3], out[1])
	},

	"FormerKeys/its own key first": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		stored := enqueue(t, s, submission("old"), submission("new"), submission("older"))
		wantSame(t, enqueue(t, s, renewed("new", submission("old")))[0], stored[1])
		wantSame(t, enqueue(t, s, renewed("newer", submission("older"), submission("old")))[0], stored[2])
	},

	"FormerKeys/failed": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		old := enqueue(t, s, submission("old"))[0]
		finish(t, s, failed(claimOne(t, s, start)))
		wantState(t, s, old, gateway.Failed)
		urgent := renewed("new", submission("old"))
		urgent.Priority = 7
		enqueue(t, s, submission("x"))
		if got := enqueue(t, s, urgent)[0]; got.ID != old.ID || got.State != gateway.Pending {
			t.Errorf("submitted again: %+v", got)
		}
		if c := claimOne(t, s, start); c.ID != old.Entries[0].ID {
			t.Error("the priority is not that of the submission that came now")
		}
	},

	"FormerKeys/many": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		var old, renewal []gateway.NewSubmission
		for i := range 100 {
			old = append(old, submission(fmt.Sprint("old ", i)))
			renewal = append(renewal, renewed(fmt.Sprint("new ", i), submission(fmt.Sprint("none ", i)), old[i]))
		}
		first := enqueue(t, s, old...)
		for i, got := range enqueue(t, s, renewal...) {
			wantSame(t, got, first[i])
		}
	},
}
