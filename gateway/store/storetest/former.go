// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// overArtifact returns a submission that has its digests in common with all that this returns, as those have of which one has the key of the
// other.
func overArtifact(name string) gateway.NewSubmission {
	s := newSubmission(name)
	s.Digests = newSubmission("artifact").Digests
	return s
}

// renewedSubmission returns a submission under a key of its own that may be stored under those of others.
func renewedSubmission(name string, formerly ...gateway.NewSubmission) gateway.NewSubmission {
	s := overArtifact(name)
	for _, f := range formerly {
		s.FormerKeys = append(s.FormerKeys, f.Key)
	}
	return s
}

// A submission is also known by the keys of earlier releases.
var formerTests = map[string]func(*testing.T, opener){
	"FormerKeys": func(t *testing.T, open opener) {
		s, reopen := open(t, 0)
		first := enqueueAll(t, s, overArtifact("old"))[0]
		s = reopen()
		out := enqueueAll(t, s, renewedSubmission("a", overArtifact("never stored"), overArtifact("old")), renewedSubmission("b", overArtifact("never stored")))
		if !out[0].Existing || out[1].Existing {
			t.Fatalf("Existing is %v, %v", out[0].Existing, out[1].Existing)
		}
		wantSame(t, out[0], first) // under the key that it has
		wantPending(t, s, logA, 2)
	},

	"FormerKeys/another tenant": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		enqueueAll(t, s, overArtifact("old"))
		foreign := NewSubmission(other, "new", logA)
		foreign.Digests = overArtifact("old").Digests
		foreign.FormerKeys = []gateway.SubmissionKey{overArtifact("old").Key}
		if enqueueAll(t, s, foreign)[0].Existing {
			t.Error("another tenant's submission was found by its key")
		}
	},

	"FormerKeys/within a call": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		out := enqueueAll(t, s, renewedSubmission("a", overArtifact("old")), overArtifact("old"), renewedSubmission("b", overArtifact("a")), renewedSubmission("c", overArtifact("old")))
		// The first has "old" as a former key only, so the second is not it, but the fourth is the second.
		if out[0].Existing || out[1].Existing || !out[2].Existing || !out[3].Existing {
			t.Fatalf("Existing is %v, %v, %v, %v", out[0].Existing, out[1].Existing, out[2].Existing, out[3].Existing)
		}
		wantSame(t, out[2], out[0])
		wantSame(t, out[3], out[1])
	},

	"FormerKeys/its own key first": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		stored := enqueueAll(t, s, overArtifact("old"), overArtifact("new"), overArtifact("older"))
		wantSame(t, enqueueAll(t, s, renewedSubmission("new", overArtifact("old")))[0], stored[1])
		wantSame(t, enqueueAll(t, s, renewedSubmission("newer", overArtifact("older"), overArtifact("old")))[0], stored[2])
	},

	"FormerKeys/failed": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		old := enqueueAll(t, s, overArtifact("old"))[0]
		finishEntries(t, s, failedOutcome(claimOne(t, s, start)))
		wantState(t, s, old, gateway.Failed)
		urgent, patient := renewedSubmission("new", overArtifact("old")), overArtifact("x")
		patient.Priority = gateway.Backfill
		enqueueAll(t, s, patient)
		if got := enqueueAll(t, s, urgent)[0]; got.ID != old.ID || got.State != gateway.Pending {
			t.Errorf("submitted again: %+v", got)
		}
		if c := claimOne(t, s, start); c.ID != old.Entries[0].ID {
			t.Error("the priority is not that of the submission that came now")
		}
	},

	"FormerKeys/no digests": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		old, renewal := overArtifact("old"), renewedSubmission("new", overArtifact("old"))
		old.Digests, renewal.Digests = nil, nil
		first := enqueueAll(t, s, old)[0]
		wantSame(t, enqueueAll(t, s, renewal, renewedSubmission("another"))[0], first)
	},

	"FormerKeys/many": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		var old, renewal []gateway.NewSubmission
		for i := range 100 {
			old = append(old, overArtifact(fmt.Sprint("old ", i)))
			renewal = append(renewal, renewedSubmission(fmt.Sprint("new ", i), overArtifact(fmt.Sprint("none ", i)), old[i]))
		}
		first := enqueueAll(t, s, old...)
		for i, got := range enqueueAll(t, s, renewal...) {
			wantSame(t, got, first[i])
		}
	},
}
