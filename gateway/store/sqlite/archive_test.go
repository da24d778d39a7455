// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// TestGetAllWithADamagedReceipt: what cannot be read of one submission concerns none of those that are read with it.
func TestGetAllWithADamagedReceipt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gateway.db")
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	subs := []gateway.NewSubmission{storetest.NewSubmission("t", "one", "log"), storetest.NewSubmission("t", "two", "log")}
	if _, err := s.Enqueue(t.Context(), subs); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DoubtPending(t.Context(), "log", gateway.Shard{}); err != nil {
		t.Fatal(err)
	}
	claimed, err := s.Claim(t.Context(), gateway.ClaimParams{Log: "log", Lease: time.Minute, Limit: 2, InFlight: 2, TreeSize: 1})
	if err != nil || len(claimed) != 2 {
		t.Fatal(len(claimed), err)
	}
	for i, c := range claimed {
		if _, err := s.Finish(t.Context(), []gateway.Outcome{{EntryID: c.ID, Fence: c.Fence, Inclusion: storetest.NewInclusion(int64(i))}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := connect(t, writerDSN(path)).Exec(`UPDATE submission_blob SET receipt = x'ff' WHERE submission = 1`); err != nil {
		t.Fatal(err)
	}
	found, err := s.GetAll(t.Context(), "t", []string{subs[0].ID, subs[1].ID})
	if err != nil || len(found) != 2 || found[subs[1].ID].State != gateway.Logged {
		t.Errorf("%v, %v", found, err)
	}
	if _, err := s.Archived(t.Context(), "t", subs[0].ID); err == nil {
		t.Error("a damaged receipt was read")
	}
	if _, err := s.Archived(t.Context(), "t", subs[1].ID); err != nil {
		t.Errorf("the other one: %v", err)
	}
}
