// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"maps"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// recorder takes down that a test failed.
type recorder struct {
	testing.TB
	mu     sync.Mutex
	failed bool
}

// Helper implements testing.TB.
func (r *recorder) Helper() {}

func (r *recorder) fail() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
}

// Error implements testing.TB.
func (r *recorder) Error(...any) { r.fail() }

// Errorf implements testing.TB.
func (r *recorder) Errorf(string, ...any) { r.fail() }

// Fatal implements testing.TB.
func (r *recorder) Fatal(...any) { r.fail(); runtime.Goexit() }

// Fatalf implements testing.TB.
func (r *recorder) Fatalf(string, ...any) { r.Fatal() }

// FailMoving returns the name of a test of Move and of Outcome.Next that a store of driver fails, or "". It is for
// stores that are broken on purpose. The test named first, if any, is tried before all others, which are not needed where it fails.
func FailMoving(t *testing.T, driver Driver, first string) string {
	return findFailure(t, driver, first, moveTests, nextTests)
}

// FailOwn returns the name of a test of own logs that a store of driver fails, or "", as FailMoving does.
func FailOwn(t *testing.T, driver Driver, first string) string {
	return findFailure(t, driver, first, ownTests, ownCloseTests, ownWitnessTests, ownContradictionTests, ownLookTests, ownMirrorTests, ownAtOnceTests)
}

// FailBlobs returns the name of a test of spooled artifacts that a store of driver fails, or "", as FailMoving does.
func FailBlobs(t *testing.T, driver Driver, first string) string {
	return findFailure(t, driver, first, blobTests)
}

// findFailure returns the name of a test that a store of driver fails, or "".
func findFailure(t *testing.T, driver Driver, first string, groups ...map[string]func(testing.TB, opening)) string {
	for _, group := range groups {
		if test, ok := group[first]; ok && fails(t, driver, test) {
			return first
		}
	}
	for _, group := range groups {
		for _, name := range slices.Sorted(maps.Keys(group)) {
			if name != first && fails(t, driver, group[name]) {
				return name
			}
		}
	}
	return ""
}

// fails reports whether a store of driver fails a test.
func fails(t *testing.T, driver Driver, test func(testing.TB, opening)) bool {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() { // Fatal ends it
		defer close(done)
		test(r, opening{t, driver})
	}()
	<-done
	return r.failed
}

// opening opens stores of a driver, for tests that may be expected to fail.
type opening struct {
	t      *testing.T
	driver Driver
}

// open returns an empty store whose clock stands at start.
func (o opening) open() *testStore {
	s, _ := newTestStore(o.t, o.driver, Options{})
	return s
}

// openBound is open for a store with a bound on pending entries; 0 is none. reopen opens it anew.
func (o opening) openBound(maxPending int) (s *testStore, reopen func() *testStore) {
	return newTestStore(o.t, o.driver, Options{MaxPending: maxPending})
}

// openToCrash is open for a store that crashes.
func (o opening) openToCrash() *testStore {
	s, _ := newTestStore(o.t, o.driver, Options{Crashes: true})
	return s
}
