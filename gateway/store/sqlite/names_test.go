// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// TestNamesOfUndone: the number that a tenant or log had in a transaction that was undone may be
// another one's by the next.
func TestNamesOfUndone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	a, b := open(t, path, Options{}), open(t, path, Options{})
	enqueue := func(s *Store, tenant, log string) error {
		_, err := s.Enqueue(t.Context(), []gateway.NewSubmission{storetest.NewSubmission(tenant, tenant, log)})
		return err
	}
	if err := enqueue(a, "first", "log"); err != nil {
		t.Fatal(err)
	}
	show := hideCold(t, path)
	if err := enqueue(a, "alice", "log of alice"); err == nil {
		t.Fatal("enqueued without a table")
	}
	show()
	if err := enqueue(b, "bob", "log of bob"); err != nil {
		t.Fatal(err)
	}
	for _, log := range []string{"log", "log of bob"} {
		claimed, err := b.Claim(t.Context(), gateway.ClaimParams{Log: log, Lease: time.Hour, Limit: 1, InFlight: 1})
		if err != nil || len(claimed) != 1 {
			t.Fatalf("%s: claimed %d, %v", log, len(claimed), err)
		}
		if _, err := b.Finish(t.Context(), []gateway.Outcome{{EntryID: claimed[0].ID, Fence: claimed[0].Fence, Fail: true}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := enqueue(a, "alice", "log of alice"); err != nil {
		t.Fatal(err)
	}
	for _, tenant := range []string{"alice", "bob"} {
		got, _, err := b.List(t.Context(), tenant, gateway.ListParams{})
		if err != nil || len(got) != 1 || got[0].Labels["name"] != tenant || got[0].Entries[0].Log != "log of "+tenant {
			t.Errorf("%s's are %+v, %v", tenant, got, err)
		}
	}
	checkFile(t, path)
}
