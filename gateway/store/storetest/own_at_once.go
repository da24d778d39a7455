// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// atOnce are several gateways on a store that has an own log, and all that they were told.
type atOnce struct {
	testing.TB
	stores []*testStore

	stored    sync.WaitGroup // of all submissions
	sequenced atomic.Int64

	mu    sync.Mutex                // guards roots
	roots map[uint64]gateway.OwnLog // by size, as whoever made them was told
}

const (
	ownWriters = 4  // that submit, beside as many that sequence
	ownRounds  = 25 // of submissions, by each of them
)

// ownAtOnceTests have several gateways work on an own log.
var ownAtOnceTests = map[string]func(testing.TB, opening){
	"Own/at once": func(t testing.TB, o opening) {
		one := o.openOwn(t)
		a := &atOnce{TB: t, stores: []*testStore{one, one.another(), one.another()}, roots: map[uint64]gateway.OwnLog{}}
		var working sync.WaitGroup
		for i := range ownWriters {
			s := a.stores[i%len(a.stores)]
			a.stored.Go(func() { a.submit(s, i) })
		}
		var done atomic.Bool
		for i := range ownWriters {
			s := a.stores[i%len(a.stores)]
			working.Go(func() {
				for size := uint64(0); !done.Load(); {
					a.sequence(s)
					size = a.logAnchored(s, size)
				}
			})
		}
		a.stored.Wait()
		done.Store(true)
		working.Wait()
		for a.sequence(one) > 0 {
		}
		a.check(one)
	},

	// Several gateways that start at once agree on what log there is.
	"Own/added at once": func(t testing.TB, o opening) {
		one := o.open()
		stores := []*testStore{one, one.another()}
		origins := []string{"a.example", "b.example"}
		var wg sync.WaitGroup
		var added [2]atomic.Int64
		for i := range 8 {
			wg.Go(func() {
				err := stores[i%2].AddOwnLog(t.Context(), ownLog, origins[i/2%2])
				if err == nil {
					added[i/2%2].Add(1)
				} else if !errors.Is(err, gateway.ErrOtherOrigin) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		l := readOwn(t, one, ownLog)
		if at := slices.Index(origins, l.Origin); at < 0 || added[at].Load() != 4 || added[1-at].Load() != 0 {
			t.Errorf("the origin is %s; %d and %d were told that it is theirs", l.Origin, added[0].Load(), added[1].Load())
		}
	},

	// What comes in while its log becomes an own one is either refused to that, or is one of its records.
	"Own/added meanwhile": func(t testing.TB, o opening) {
		one := o.open()
		two := one.another()
		for i := range 20 {
			log := fmt.Sprint("log ", i)
			var wg sync.WaitGroup
			var added error
			wg.Go(func() { added = two.AddOwnLog(t.Context(), log, log+".example") })
			enqueued, err := one.Enqueue(t.Context(), []gateway.NewSubmission{NewSubmission(tenant, log, log)})
			wg.Wait()
			noError(t, err)
			noError(t, enqueued[0].Err)
			if added != nil {
				wantError(t, added, gateway.ErrOtherOrigin)
				continue
			}
			sequence(t, one, log, 9, 1)
		}
	},
}

// submit stores submissions of which others have some entries, too.
func (a *atOnce) submit(s *testStore, writer int) {
	for round := range ownRounds {
		subs := ownSubmissions(fmt.Sprint("of ", writer, " ", round), fmt.Sprint("shared ", round))
		for i := range subs {
			subs[i].ID, subs[i].Tenant = newID(fmt.Sprint(writer, round, i)), fmt.Sprint("tenant ", writer)
		}
		results, err := s.Enqueue(a.Context(), subs)
		if err != nil {
			a.Error(err)
			return
		}
		for _, r := range results {
			if r.Err != nil {
				a.Error(r.Err)
			}
		}
	}
}

// sequence gives a few entries their indexes.
func (a *atOnce) sequence(s *testStore) int {
	l, n, err := s.Sequence(a.Context(), ownLog, 3, GrowTree)
	if err != nil {
		a.Error(err)
		return 0
	}
	a.sequenced.Add(int64(n))
	a.mu.Lock()
	defer a.mu.Unlock()
	if before, ok := a.roots[l.Tree.Size]; ok && (before.Tree != l.Tree || n > 0) {
		a.Errorf("of %d records there are two trees, or they were made twice", l.Tree.Size)
	}
	if n > 0 {
		a.roots[l.Tree.Size] = l
	}
	return n
}

// logAnchored anchors the log as it is, logs what that covers, and returns the log's size, which is no smaller than before.
func (a *atOnce) logAnchored(s *testStore, before uint64) uint64 {
	l, err := s.OwnLog(a.Context(), ownLog)
	switch {
	case err != nil:
		a.Error(err)
	case l.Tree.Size < before:
		a.Errorf("the log has gone back from %d to %d records", before, l.Tree.Size)
	case l.Tree.Size > 0:
		if err := s.KeepAnchor(a.Context(), ownLog, gateway.OwnAnchor{Tree: l.Tree, Submission: newID(fmt.Sprint(l.Tree.Size))}); err != nil {
			a.Error(err)
		}
		if _, err := s.LogAnchored(a.Context(), ownLog, 2); err != nil {
			a.Error(err)
		}
	}
	return l.Tree.Size
}

// check checks what is there in the end.
func (a *atOnce) check(s *testStore) {
	names := wantSound(a, s, ownLog)
	if want := ownWriters*ownRounds + ownRounds; len(names) != want || a.sequenced.Load() != int64(want) {
		a.Fatalf("%d records, %d were said to be sequenced, want %d", len(names), a.sequenced.Load(), want)
	}
	for size, l := range a.roots {
		if l.Tree != treeOf(names[:size]) {
			a.Errorf("at %d records another tree was told", size)
		}
	}
	anchorAt(a, s, uint64(len(names)))
	for len(logAnchored(a, s, 10)) > 0 {
	}
	wantPending(a, s, ownLog, 0)
	indexes := map[uint64]string{}
	for writer := range ownWriters {
		for _, sub := range listAll(a, s, fmt.Sprint("tenant ", writer), gateway.ListParams{}) {
			e := wantState(a, s, sub, gateway.Logged).Entries[0]
			name := sub.Labels["name"]
			if before, taken := indexes[*e.LogIndex]; taken && before != name || names[*e.LogIndex] != name {
				a.Errorf("record %d is %q, of %q and %q", *e.LogIndex, names[*e.LogIndex], before, name)
			}
			indexes[*e.LogIndex] = name
		}
	}
	if len(indexes) != len(names) {
		a.Errorf("%d of %d records are of submissions", len(indexes), len(names))
	}
}
