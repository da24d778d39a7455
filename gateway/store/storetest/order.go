// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// orderedStore is what the order of claims is tested of.
type orderedStore interface {
	gateway.Queue
	Claim(ctx context.Context, p gateway.ClaimParams) ([]gateway.Claimed, error)
	Finish(ctx context.Context, outcomes []gateway.Outcome) ([]gateway.Progress, error)
}

// ordered is such a store, with its clock.
type ordered struct {
	orderedStore
	setClock func(time.Time)
}

// orderTests are about whose entries are claimed first.
var orderTests = map[string]func(testing.TB, ordered){
	"Order/priority, then age": func(t testing.TB, s ordered) {
		for _, in := range []struct {
			name     string
			priority gateway.Priority
			at       time.Duration
		}{
			{"old, low", gateway.Backfill, 0},
			{"old, high", gateway.Interactive, 0},
			{"young, low", gateway.Backfill, time.Minute},
			{"young, high", gateway.Interactive, time.Minute},
		} {
			s.setClock(after(in.at))
			s.enqueue(t, tenant, in.priority, in.name)
		}
		s.setClock(after(2 * time.Minute))
		var got []string
		for range 4 {
			got = append(got, s.claim(t, 1)...)
		}
		if want := []string{"old, high", "young, high", "old, low", "young, low"}; !slices.Equal(got, want) {
			t.Errorf("claimed %q, want %q", got, want)
		}
	},

	// What comes back keeps its place before younger ones, and waits for its time.
	"Order/after a retry": func(t testing.TB, s ordered) {
		s.enqueue(t, tenant, gateway.Interactive, "one")
		s.setClock(after(time.Second))
		s.enqueue(t, tenant, gateway.Interactive, "two", "three")
		claimed, err := s.Claim(t.Context(), claimParams(1))
		noError(t, err)
		_, err = s.Finish(t.Context(), []gateway.Outcome{retryOutcome(claimed[0], time.Minute)})
		noError(t, err)
		if got := s.claim(t, 1); !slices.Equal(got, []string{"two"}) {
			t.Errorf("claimed %q before its time", got)
		}
		s.setClock(after(time.Second + time.Minute))
		if got := s.claim(t, 2); !slices.Equal(got, []string{"one", "three"}) {
			t.Errorf("claimed %q", got)
		}
	},

	"Order/turns": func(t testing.TB, s ordered) {
		for _, p := range []gateway.Priority{gateway.Interactive, gateway.Backfill} {
			left := map[string]int{"a": 60, "b": 20, "c": 7, "d": 1}
			for tenant, n := range left {
				for i := range n {
					s.enqueue(t, tenant, p, fmt.Sprintf("%s %v %03d", tenant, p, i))
				}
			}
			s.wantTurns(t, left)
		}
	},

	// However many tenants there are, each has its turn before another one has two.
	"Order/many tenants": func(t testing.TB, s ordered) {
		left := map[string]int{}
		for i := range 40 {
			left[fmt.Sprint("tenant", i)] = 3
		}
		left["tenant7"] = 200
		for tenant, n := range left {
			for i := range n {
				s.enqueue(t, tenant, gateway.Interactive, fmt.Sprintf("%s %03d", tenant, i))
			}
		}
		s.wantTurns(t, left)
	},

	// Backfill waits for what is interactive, but not for ever. Then it has a share, and no more.
	"Order/old backfill": func(t testing.TB, s ordered) {
		for i := range 20 {
			s.enqueue(t, "a", gateway.Backfill, fmt.Sprintf("backfill a%03d", i))
			s.enqueue(t, "b", gateway.Backfill, fmt.Sprintf("backfill b%03d", i))
		}
		for i := range 200 {
			s.enqueue(t, "a", gateway.Interactive, fmt.Sprintf("live %03d", i))
		}
		s.setClock(after(gateway.BackfillAge - time.Millisecond))
		for range 2 * gateway.BackfillShare {
			if got := s.claim(t, 1); strings.HasPrefix(got[0], "backfill") {
				t.Fatalf("claimed %q although it is young", got[0])
			}
		}
		s.setClock(after(gateway.BackfillAge))
		for _, limit := range []int{1, 3, 16} {
			claimed := map[string]int{}
			for n := 0; n < 48; n += limit {
				for _, name := range s.claim(t, limit) {
					claimed[strings.Trim(name, "0123456789")]++
				}
			}
			if old := claimed["backfill a"] + claimed["backfill b"]; old < 10 || old > 14 {
				t.Errorf("claims of %d: %v of 48, want about a quarter of backfill", limit, claimed)
			}
			if d := claimed["backfill a"] - claimed["backfill b"]; d < -1 || d > 1 {
				t.Errorf("claims of %d: %v: not in turns", limit, claimed)
			}
		}
	},

	// A tenant whose backfill is old is found among many whose is young.
	"Order/old backfill of one tenant": func(t testing.TB, s ordered) {
		s.enqueue(t, "old", gateway.Backfill, "old")
		s.setClock(after(gateway.BackfillAge))
		for i := range 100 {
			s.enqueue(t, fmt.Sprint("t", i), gateway.Backfill, fmt.Sprint("young", i))
		}
		for i := range 100 {
			s.enqueue(t, "live", gateway.Interactive, fmt.Sprint("live", i))
		}
		for range 10 {
			for _, name := range s.claim(t, gateway.BackfillShare) {
				if name == "old" {
					return
				}
				if strings.HasPrefix(name, "young") {
					t.Fatalf("claimed %q although it is young", name)
				}
			}
		}
		t.Error("old backfill is starved")
	},

	// An entry that two tenants need is of the first one's turn.
	"Order/shared": func(t testing.TB, s ordered) {
		s.enqueueShared(t, "a", gateway.Backfill, "shared")
		s.enqueue(t, "a", gateway.Backfill, "a's own")
		s.enqueue(t, "b", gateway.Backfill, "b's own", "b's second")
		s.enqueueShared(t, "b", gateway.Backfill, "shared")
		got := s.claim(t, 2)
		slices.Sort(got)
		if !slices.Equal(got, []string{"b's own", "shared"}) {
			t.Errorf("claimed %q", got)
		}
	},

	"Order/shared at the higher priority": func(t testing.TB, s ordered) {
		s.enqueueShared(t, "a", gateway.Backfill, "shared")
		s.enqueue(t, "c", gateway.Interactive, "c's own")
		s.enqueueShared(t, "b", gateway.Interactive, "shared")
		s.enqueueShared(t, "d", gateway.Backfill, "shared")
		s.enqueue(t, "c", gateway.Interactive, "c's second")
		got := s.claim(t, 2)
		slices.Sort(got)
		if !slices.Equal(got, []string{"c's own", "shared"}) {
			t.Errorf("claimed %q", got)
		}
	},
}

// enqueue stores submissions with one entry each.
func (s ordered) enqueue(t testing.TB, tenant string, p gateway.Priority, names ...string) {
	t.Helper()
	var subs []gateway.NewSubmission
	for _, name := range names {
		sub := NewSubmission(tenant, name, logA)
		sub.Priority = p
		subs = append(subs, sub)
	}
	s.enqueueSubs(t, subs...)
}

// enqueueShared stores a submission of its own with an entry that others may have.
func (s ordered) enqueueShared(t testing.TB, tenant string, p gateway.Priority, entry string) {
	t.Helper()
	sub := NewSubmission(tenant, "with "+entry, logA, entry)
	sub.Priority = p
	s.enqueueSubs(t, sub)
}

func (s ordered) enqueueSubs(t testing.TB, subs ...gateway.NewSubmission) {
	t.Helper()
	results, err := s.Enqueue(t.Context(), subs)
	noError(t, err)
	for _, r := range results {
		noError(t, r.Err)
	}
}

// claim claims entries, logs them, and returns their names.
func (s ordered) claim(t testing.TB, limit int) []string {
	t.Helper()
	claimed, err := s.Claim(t.Context(), claimParams(limit))
	noError(t, err)
	if len(claimed) > limit {
		t.Fatalf("claimed %d, asked for %d", len(claimed), limit)
	}
	var names []string
	var outcomes []gateway.Outcome
	for _, c := range claimed {
		names = append(names, strings.TrimPrefix(string(c.Body), "body of "))
		outcomes = append(outcomes, loggedOutcome(c))
	}
	if len(outcomes) > 0 {
		_, err = s.Finish(t.Context(), outcomes)
		noError(t, err)
	}
	return names
}

// wantTurns claims all that is left of each tenant, in claims of several sizes, and fails the test when a
// tenant that has something left falls behind another by more than a turn, or is not served oldest first. The
// names of the entries begin with their tenants', and are in the order of their age.
func (s ordered) wantTurns(t testing.TB, left map[string]int) {
	t.Helper()
	served, last := map[string]int{}, map[string]string{}
	for i := 0; ; i++ {
		names := s.claim(t, []int{1, 5, 2, 9, 3}[i%5])
		if len(names) == 0 {
			break
		}
		for _, name := range names {
			tenant, _, _ := strings.Cut(name, " ")
			if name <= last[tenant] {
				t.Fatalf("%q was claimed after %q", name, last[tenant])
			}
			last[tenant] = name
			served[tenant]++
		}
		for a, n := range served {
			for b, all := range left {
				if served[b] < all && n > served[b]+1 {
					t.Fatalf("%s was served %d times, and %s, which has more, %d times", a, n, b, served[b])
				}
			}
		}
	}
	for tenant, all := range left {
		if served[tenant] != all {
			t.Errorf("%s was served %d times, want %d", tenant, served[tenant], all)
		}
	}
}
