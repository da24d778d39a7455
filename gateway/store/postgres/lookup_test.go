// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// TestLookupsLeaveRoom: however much callers look up at once, and for however long, what others wait for and what is under way go on.
func TestLookupsLeaveRoom(t *testing.T) {
	const connections = 4
	s := open(t, newDatabase(t), Options{MaxConnections: connections, Patience: time.Second})
	stored, err := s.Enqueue(t.Context(), []gateway.NewSubmission{storetest.NewSubmission("alice", "a", "log")})
	if err != nil {
		t.Fatal(err)
	}
	id := stored[0].Submission.ID
	held := make(chan struct{})
	holding := make(chan struct{}, 10*connections)
	var looking sync.WaitGroup
	for range 10 * connections {
		looking.Go(func() {
			_ = s.lookUpTx(t.Context(), "looking up", func(*tx) error { // those that find no turn in time fail
				holding <- struct{}{}
				<-held
				return nil
			})
		})
	}
	defer looking.Wait()
	defer close(held)
	for range connections / 2 {
		<-holding
	}

	if found, err := s.Progress(t.Context(), []string{id}); err != nil || len(found) != 1 {
		t.Errorf("progress: %+v, %v", found, err)
	}
	claimed, err := s.Claim(t.Context(), gateway.ClaimParams{Log: "log", Lease: time.Minute, Limit: 1, InFlight: 1})
	if err != nil || len(claimed) != 1 {
		t.Fatalf("claimed %+v, %v", claimed, err)
	}
	if _, err := s.Extend(t.Context(), []gateway.Lease{{EntryID: claimed[0].ID, Fence: claimed[0].Fence}}, time.Minute); err != nil {
		t.Errorf("extending: %v", err)
	}
	if _, err := s.Get(t.Context(), "alice", id); !errors.Is(err, gateway.ErrStoreUnavailable) {
		t.Errorf("another lookup: %v", err)
	}
	if _, err := s.OwnLog(t.Context(), "own"); !errors.Is(err, gateway.ErrStoreUnavailable) { // strangers ask, for each tile
		t.Errorf("looking at an own log: %v", err)
	}
}
