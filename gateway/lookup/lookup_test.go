// SPDX-License-Identifier: Apache-2.0

package lookup_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/lookup"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

func openStore(t *testing.T) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "store.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// A submission that needs one log of two has a receipt as soon as it is Logged: of that log alone.
func TestReceiptOfTheLogsThatAreDone(t *testing.T) {
	fields, archived := loggedOnce(t)
	skeleton := proto.CloneOf(archived.Receipt)
	skeleton.Entries = append(skeleton.Entries, proto.CloneOf(skeleton.Entries[0]))
	sub := gateway.NewSubmission{SubmissionFields: fields, Receipt: skeleton}
	for _, log := range []string{"one", "two"} {
		e := storetest.NewSubmission("a", "x", log).Entries[0]
		e.Body = archived.Entries[0].Body
		sub.Entries = append(sub.Entries, e)
	}
	store := openStore(t)
	if _, err := store.Enqueue(t.Context(), []gateway.NewSubmission{sub}); err != nil {
		t.Fatal(err)
	}
	l := lookup.New(store, []string{"one", "two"}, nil)
	if got, err := l.Receipt(t.Context(), get(t, store, sub.Tenant, sub.ID)); err == nil {
		t.Fatalf("a receipt before any log has it: %v", got)
	}
	claims, err := store.Claim(t.Context(), gateway.ClaimParams{Log: "one", Lease: time.Minute, Limit: 1, InFlight: 1})
	if err != nil || len(claims) != 1 {
		t.Fatalf("%d claims, %v", len(claims), err)
	}
	done := gateway.Outcome{EntryID: claims[0].ID, Fence: claims[0].Fence, Inclusion: archived.Entries[0].Inclusion}
	if _, err := store.Finish(t.Context(), []gateway.Outcome{done}); err != nil {
		t.Fatal(err)
	}
	got := get(t, store, sub.Tenant, sub.ID)
	r, err := l.Receipt(t.Context(), got)
	if got.State != gateway.Logged || err != nil || len(r.GetEntries()) != 1 {
		t.Fatalf("state %s, %d entries, %v", got.State, len(r.GetEntries()), err)
	}
}

// loggedOnce returns a submission that a gateway has taken to a log.
func loggedOnce(t *testing.T) (gateway.SubmissionFields, gateway.Archived) {
	t.Helper()
	store := openStore(t)
	g := gatewaytest.New(gatewaytest.Config{Logs: []gateway.Log{gatewaytest.NewLog()}, Store: store, Timing: gatewaytest.Quick})
	t.Cleanup(g.Start(t))
	sub, err := g.Submit(t.Context(), gatewaytest.Signed(t, "hello"), gatewaytest.NoArtifact)
	if err != nil {
		t.Fatal(err)
	}
	if sub, err = g.Wait(t.Context(), sub.Tenant, sub.ID); err != nil || sub.State != gateway.Logged {
		t.Fatalf("state %s, %v", sub.State, err)
	}
	archived, err := store.Archived(t.Context(), sub.Tenant, sub.ID)
	if err != nil {
		t.Fatal(err)
	}
	return sub.SubmissionFields, archived
}

// The first release stored entries without a receipt: they have no statement, and do no harm.
func TestStatementWithoutReceipt(t *testing.T) {
	store := openStore(t)
	sub := storetest.NewSubmission("a", "x", "one")
	sub.Receipt = nil
	stored, err := store.Enqueue(t.Context(), []gateway.NewSubmission{sub})
	if err != nil {
		t.Fatal(err)
	}
	_, err = lookup.New(store, []string{"one"}, nil).Statement(t.Context(), stored[0].Submission.Tenant, stored[0].Submission.Entries[0].LeafHash)
	if !errors.Is(err, gateway.ErrNotFound) {
		t.Fatal(err)
	}
}

func get(t *testing.T, store gateway.Store, tenant, id string) gateway.Submission {
	t.Helper()
	sub, err := store.Get(t.Context(), tenant, id)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}
