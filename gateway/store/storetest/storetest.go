// SPDX-License-Identifier: Apache-2.0

// Package storetest is the conformance run that every gateway.Store passes.
package storetest

import (
	"errors"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Open makes an empty store that bounds its pending entries by maxPending (0: no bound),
// closed when the test ends. Reopen closes the store that is open and opens its data anew,
// as a restart does.
type Open func(t *testing.T, maxPending int) (s gateway.Store, reopen func() gateway.Store)

// Run runs the conformance tests, each on a store of its own.
func Run(t *testing.T, open Open) {
	for _, group := range []map[string]func(*testing.T, Open){
		enqueueTests, sharingTests, claimTests, extendTests, finishTests, leafTests, listTests,
		contextTests, concurrencyTests,
	} {
		for name, test := range group {
			t.Run(name, func(t *testing.T) { test(t, open) })
		}
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
