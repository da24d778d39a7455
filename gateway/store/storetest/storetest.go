// SPDX-License-Identifier: Apache-2.0

// Package storetest is the conformance run that every gateway.Store passes.
package storetest

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Options are what a test asks of its store.
type Options struct {
	MaxPending      int   // bound on pending entries; 0 is none
	MaxPendingBytes int64 // bound on what is stored for them; 0 is none
	// Now is the store's clock. All times that the store stores or compares are of it: a store
	// that has its engine's clock takes this one in its place. It may go backwards.
	Now func() time.Time
	// Crashes: Opened.Crash will be called.
	Crashes bool
}

// Opened is an empty store for one test, closed when the test ends.
type Opened struct {
	Store gateway.Store
	// Reopen closes the store that is open and opens its data anew, as a restart does.
	Reopen func() gateway.Store
	// Another opens the same data once more, as another gateway does, beside all that are open. What it opens is closed
	// when the test ends.
	Another func() gateway.Store
	// Crash has the engine end at this moment, as when it is killed, and opens what is left of the data. The stores that
	// were open are not used any more.
	Crash func() gateway.Store
	// HideCold makes what is cold of the data fail to be read and written until show is called, by
	// renaming its tables, for instance. What is hot must not notice.
	HideCold func() (show func())
}

// Driver opens stores of one kind.
type Driver func(t *testing.T, o Options) Opened

// opener opens a store of a driver for one test, with a clock that stands at start.
type opener func(t *testing.T, maxPending int) (s *testStore, reopen func() *testStore)

// testStore is a store under test, with its clock.
type testStore struct {
	gateway.Store
	clock    *clock
	hideCold func() (show func())
	another  func() *testStore
	crash    func() *testStore
}

// newTestStore opens an empty store whose clock stands at start, and returns what opens it anew.
func newTestStore(t *testing.T, driver Driver, o Options) (*testStore, func() *testStore) {
	s := &testStore{clock: new(clock)}
	s.setClock(start)
	o.Now = s.clock.now
	opened := driver(t, o)
	s.Store, s.hideCold = opened.Store, opened.HideCold
	s.another = func() *testStore {
		beside := *s
		beside.Store = opened.Another()
		return &beside
	}
	s.crash = func() *testStore {
		s.Store = opened.Crash()
		return s
	}
	return s, func() *testStore {
		s.Store = opened.Reopen()
		return s
	}
}

// clock stands still until it is set.
type clock struct{ ms atomic.Int64 }

func (c *clock) now() time.Time { return time.UnixMilli(c.ms.Load()) }

// setClock sets the store's clock.
func (s *testStore) setClock(t time.Time) { s.clock.ms.Store(t.UnixMilli()) }

// Run runs the conformance tests, each on a store of its own, and several at once.
func Run(t *testing.T, driver Driver) {
	openLimited := func(t *testing.T, maxPending int, maxBytes int64) (*testStore, func() *testStore) {
		return newTestStore(t, driver, Options{MaxPending: maxPending, MaxPendingBytes: maxBytes})
	}
	open := func(t *testing.T, maxPending int) (*testStore, func() *testStore) {
		return openLimited(t, maxPending, 0)
	}
	for name, test := range byteTests {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, openLimited) })
	}
	for _, group := range []map[string]func(*testing.T, opener){
		enqueueTests, formerTests, sharingTests, claimTests, extendTests, finishTests, doubtTests, stateTests, leafTests, listTests,
		archiveTests, attestedTests, incarnationTests, contextTests, concurrencyTests,
	} {
		for name, test := range group {
			t.Run(name, func(t *testing.T) { t.Parallel(); test(t, open) })
		}
	}
	for _, group := range []map[string]func(testing.TB, opening){moveTests, nextTests, retireTests, coldTests, replicaTests, acknowledgedTests, quotaTests, auditTests, ownTests, ownCloseTests, ownWitnessTests, ownContradictionTests, ownLookTests, ownMirrorTests, ownAtOnceTests, blobTests} {
		for name, test := range group {
			t.Run(name, func(t *testing.T) { t.Parallel(); test(t, opening{t, driver}) })
		}
	}
	for name, test := range orderTests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := open(t, 0)
			test(t, ordered{s, s.setClock})
		})
	}
	RunCheckpoints(t, func(t *testing.T) (gateway.Checkpoints, func() gateway.Checkpoints) {
		s, reopen := open(t, 0)
		return s, func() gateway.Checkpoints { return reopen() }
	})
}

// wantError fails the test unless err is target.
func wantError(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("error is %v, want %v", err, target)
	}
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
