// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

func wantContradictions(t testing.TB, s gateway.Store, log string, want ...gateway.Contradiction) {
	t.Helper()
	got, err := s.Contradictions(t.Context(), log)
	noError(t, err)
	if !slices.Equal(got, want) {
		t.Errorf("contradictions of %s are %+v, want %+v", log, got, want)
	}
}

// ownContradictionTests are about what witnesses say against a store.
var ownContradictionTests = map[string]func(testing.TB, opening){
	// Of each witness one is kept: the one that has lasted longest, of the last size.
	"Own/contradicted": func(t testing.TB, o opening) {
		s := o.openOwn(t)
		wantContradictions(t, s, ownLog)
		for _, c := range []gateway.Contradiction{
			{Witness: "b", Size: 9, Lasted: 5 * time.Second}, {Witness: "a", Lasted: time.Hour}, {Witness: "b", Size: 9, Lasted: 3 * time.Second}, {Witness: "c", Size: 1},
		} {
			noError(t, s.KeepContradiction(t.Context(), ownLog, c))
		}
		wantContradictions(t, s.another(), ownLog, gateway.Contradiction{Witness: "a", Lasted: time.Hour}, gateway.Contradiction{Witness: "b", Size: 9, Lasted: 5 * time.Second}, gateway.Contradiction{Witness: "c", Size: 1})
		noError(t, s.KeepContradiction(t.Context(), ownLog, gateway.Contradiction{Witness: "b", Size: 9, Lasted: time.Minute}))
		noError(t, s.KeepContradiction(t.Context(), ownLog, gateway.Contradiction{Witness: "a", Size: 10}))
		noError(t, s.DropContradiction(t.Context(), ownLog, "c"))
		noError(t, s.DropContradiction(t.Context(), ownLog, "d"))
		noError(t, s.AddOwnLog(t.Context(), "second-log", "second.example"))
		noError(t, s.DropContradiction(t.Context(), "second-log", "a"))
		noError(t, s.DropContradiction(t.Context(), noLog, "a"))
		wantContradictions(t, s, ownLog, gateway.Contradiction{Witness: "a", Size: 10}, gateway.Contradiction{Witness: "b", Size: 9, Lasted: time.Minute})
		wantContradictions(t, s, "second-log")
		wantContradictions(t, s, noLog)
		wantSound(t, s, ownLog)
	},

	// What nobody says is not kept.
	"Own/not contradicted": func(t testing.TB, o opening) {
		s := o.openOwn(t)
		wantError(t, s.KeepContradiction(t.Context(), noLog, gateway.Contradiction{Witness: "a", Size: 1}), gateway.ErrNotFound)
		for _, c := range []gateway.Contradiction{
			{Size: 1}, {Witness: "\xff"}, {Witness: "a\n"}, {Witness: "a", Size: math.MaxUint64}, {Witness: "a", Lasted: -time.Second}, {Witness: "a", Lasted: time.Millisecond},
		} {
			if s.KeepContradiction(t.Context(), ownLog, c) == nil {
				t.Errorf("kept %+v", c)
			}
		}
		wantContradictions(t, s, ownLog)
	},
}
