// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// askedLog has a scanner over a log that is asked for each entry, with so many in doubt, each of which takes the log a while.
func askedLog(doubts int, failing func(id int64) bool) (s *scanner, store *doubtStore, asked map[int64]int) {
	size := uint64(100)
	store, asked = &doubtStore{}, map[int64]int{}
	for id := range int64(doubts) {
		e := gateway.Entry{ID: id + 1, Fence: 3, SentAtTreeSize: &size, LastSentAt: time.Now()}
		binary.BigEndian.PutUint64(e.LeafHash[:], uint64(e.ID))
		store.doubts = append(store.doubts, gateway.Doubt{Entry: e})
	}
	log := &scriptedLog{size: 1 << 40, delay: time.Hour, byHash: true}
	log.ask = func(ctx context.Context, leaves []gateway.LeafHash, to uint64) (gateway.Found, error) {
		log.size++ // others are logged
		found := gateway.Found{AbsentTo: to, Inclusions: map[gateway.LeafHash]*gateway.Inclusion{}, Failed: map[gateway.LeafHash]error{}}
		for _, leaf := range leaves {
			id := int64(binary.BigEndian.Uint64(leaf[:]))
			asked[id]++
			switch time.Sleep(100 * time.Millisecond / 8); {
			case ctx.Err() != nil:
				found.Failed[leaf] = ctx.Err()
			case failing(id):
				found.Failed[leaf] = fmt.Errorf("entry: %w", gateway.ErrBadAnswer)
			case id%2 == 0:
				found.Inclusions[leaf] = &gateway.Inclusion{Kind: "k"}
			}
		}
		return found, nil
	}
	return scanWorker(log, store), store, asked
}

// TestAskMany: however many are in doubt after a restart, and however slowly a log answers that is asked for each, all are settled, and one that
// cannot be asked for holds up no other: of it nothing is known.
func TestAskMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, bad = 2000, 7
		s, store, _ := askedLog(n, func(id int64) bool { return id == bad })
		began := time.Now()
		for again := true; again; {
			var err error
			if again, err = s.settlePage(t.Context()); (err != nil) != (len(store.settled) < 1024) {
				t.Errorf("%d are settled: %v", len(store.settled), err)
			}
		}
		found := 0
		for _, d := range store.settled {
			switch {
			case d.EntryID == bad:
				t.Errorf("what could not be asked for: %+v", d)
			case d.Inclusion != nil:
				found++
			case d.AbsentTo < 1<<40:
				t.Errorf("absent: %+v", d)
			}
		}
		if took := time.Since(began); len(store.settled) != n-1 || found != n/2 || took > time.Minute {
			t.Errorf("%d settled, %d found, in %v", len(store.settled), found, took)
		}
	})
}

// TestAskRests: a log is asked again and again for what stays in doubt, ever more seldom at first, and not less than once a minute.
func TestAskRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, asked := askedLog(1, func(int64) bool { return false })
		for range 60 * 60 {
			if _, err := s.settlePage(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if asked[1] < 60 || asked[1] > 90 {
			t.Errorf("asked %d times in an hour", asked[1])
		}
	})
}
