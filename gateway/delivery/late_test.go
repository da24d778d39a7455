// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/steady"
)

// leafLog has these leaves, and finds them as a log does: it ends early once all are found.
type leafLog struct {
	scriptedLog
	leaves []gateway.LeafHash
	down   error
}

func (l *leafLog) Size(context.Context, gateway.Shard) (uint64, error) {
	return uint64(len(l.leaves)), l.down
}

func (l *leafLog) Find(_ context.Context, _ gateway.Shard, leaves []gateway.LeafHash, from, to uint64) (gateway.Found, error) {
	wanted := map[gateway.LeafHash]bool{}
	for _, leaf := range leaves {
		wanted[leaf] = true
	}
	found := gateway.Found{Inclusions: map[gateway.LeafHash]*gateway.Inclusion{}, AbsentTo: to}
	for i := from; i < to && len(wanted) > 0; i++ {
		leaf := l.leaves[i]
		if found.Inclusions[leaf] != nil {
			found.Doubled++
		} else if wanted[leaf] {
			found.Inclusions[leaf] = &gateway.Inclusion{Index: i}
			delete(wanted, leaf)
		}
	}
	return found, nil
}

// TestLateEntriesAreCounted: an entry whose call was over only when its lease had ended, because this process was stopped, is looked
// for, and counted where it is in the log twice: in one window of the search or in two.
func TestLateEntriesAreCounted(t *testing.T) {
	leaf := func(i byte) gateway.LeafHash { return gateway.LeafHash{i} }
	log := &leafLog{scriptedLog: scriptedLog{delay: time.Minute}}
	log.leaves = make([]gateway.LeafHash, scanWindow+1000)
	for i := range log.leaves {
		log.leaves[i] = gateway.LeafHash{0xff, byte(i), byte(i >> 8), byte(i >> 16)}
	}
	for at, l := range map[int]byte{10: 1, 20: 1, 30: 2, scanWindow + 5: 2, 40: 3, 50: 5, 60: 5} {
		log.leaves[at] = leaf(l)
	}
	counted := 0
	w := newWorker(log, Config{Store: nil, Logger: slog.New(slog.DiscardHandler), Metrics: Metrics{Doubled: func(_ string, n int) { counted += n }}.withDefaults(), Timing: Timing{}.withDefaults()})
	size := uint64(8)
	var outcomes []gateway.Outcome
	var slots []*slot
	for i := byte(1); i <= 5; i++ {
		e := gateway.Claimed{Entry: gateway.Entry{ID: int64(i), Fence: 1, LeafHash: leaf(i), Shard: currentShard, SentAtTreeSize: &size}}
		slots = someSlots(t, 1)
		addWithSlots(t.Context(), w.held, []gateway.Claimed{e}, steady.Now(), slots)
		outcomes = append(outcomes, gateway.Outcome{EntryID: e.ID, Fence: 1, Retry: true, InDoubt: true})
		if i < 5 { // the fifth comes back in time
			w.held.held[e.ID].since = steady.Now().Add(-time.Minute)
		}
	}
	outcomes[0] = gateway.Outcome{EntryID: 1, Fence: 1, Inclusion: &gateway.Inclusion{Index: 20}}
	outcomes[3].InDoubt = false // it was certainly not sent
	w.late.noteLate(w.held.releaseOutcomes(outcomes))
	if n := len(w.late.list); n != 3 {
		t.Fatalf("%d are late", n)
	}
	now := time.Now()
	if w.countLate(t.Context(), now.Add(time.Minute)); counted != 0 || len(w.late.list) != 3 {
		t.Error("looked for before the log's delay was over")
	}
	log.down = errors.New("down")
	if w.countLate(t.Context(), now.Add(2*time.Minute)); counted != 0 || len(w.late.list) != 3 {
		t.Error("forgotten while the log could not be read")
	}
	log.down = nil
	if w.countLate(t.Context(), now.Add(3*time.Minute)); counted != 2 || len(w.late.list) != 0 {
		t.Errorf("%d are counted, %d left", counted, len(w.late.list))
	}
	w.countLate(t.Context(), now.Add(4*time.Minute))
	if counted != 2 {
		t.Error("counted twice")
	}
}
