// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// TestAwaitArchived: what one who waits gets at hand is what the store has, or nothing.
func TestAwaitArchived(t *testing.T) {
	leaf, index := gateway.LeafHash{1}, uint64(7)
	inclusion := &gateway.Inclusion{Kind: "test", Index: index, Proof: []byte("proof")}
	for name, test := range map[string]struct {
		body  int // bytes
		told  gateway.EntryProgress
		known bool // the entry was logged before somebody waited
		want  bool
	}{
		"logged meanwhile":     {100, gateway.EntryProgress{Inclusion: inclusion, LeafHash: leaf}, false, true},
		"told by another":      {100, gateway.EntryProgress{}, false, false},
		"logged before":        {100, gateway.EntryProgress{Inclusion: inclusion, LeafHash: leaf}, true, false},
		"another shard's":      {100, gateway.EntryProgress{Inclusion: inclusion, LeafHash: gateway.LeafHash{2}}, false, false},
		"at another index":     {100, gateway.EntryProgress{Inclusion: &gateway.Inclusion{Index: 8}, LeafHash: leaf}, false, false},
		"too large to be kept": {keptBytes, gateway.EntryProgress{Inclusion: inclusion, LeafHash: leaf}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := NewWaiters(newProgressStore())
				stored := newSub("a", gateway.Pending)
				stored.Entries[0].LeafHash = leaf
				full := gateway.Archived{Receipt: &receiptpb.Receipt{Signature: &receiptpb.Signature{Format: "x509"}}, Entries: []gateway.ArchivedEntry{{Body: make([]byte, test.body)}}}
				given := full
				stored.Archived = &given
				test.told.Log, test.told.State, test.told.LogIndex = "log", gateway.Logged, &index
				notify := func() {
					w.Notify([]gateway.Progress{{ID: "a", State: gateway.Logged, Entries: []gateway.EntryProgress{test.told}}})
				}
				if test.known {
					notify()
				} else {
					time.AfterFunc(time.Second, notify)
				}
				got := stored
				err := w.Await(t.Context(), &got)
				if err != nil || got.State != gateway.Logged || (got.Archived != nil) != test.want {
					t.Fatalf("state %s, at hand: %v, %v", got.State, got.Archived != nil, err)
				}
				if given.Receipt != nil || given.Entries != nil {
					t.Error("what was given is still held")
				}
				if a := got.Archived; test.want && (!proto.Equal(a.Receipt, full.Receipt) || len(a.Entries[0].Body) != test.body || a.Entries[0].Inclusion != inclusion) {
					t.Errorf("at hand is %+v", a)
				}
			})
		})
	}
}
