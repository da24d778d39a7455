// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

func checkpoint(size uint64, note string) gateway.Checkpoint {
	return gateway.Checkpoint{Size: size, Root: [32]byte{byte(size)}, Envelope: []byte(note)}
}

func wantCheckpoint(t *testing.T, s gateway.Store, origin string, want *gateway.Checkpoint) {
	t.Helper()
	got, err := s.Checkpoint(t.Context(), origin)
	noError(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("checkpoint of %s is %v, want %v", origin, got, want)
	}
}

var checkpointTests = map[string]func(*testing.T, Open){
	"Checkpoint": func(t *testing.T, open Open) {
		s, reopen := open(t, 0)
		wantCheckpoint(t, s, "a", nil)
		ten := checkpoint(10, "ten")
		noError(t, s.KeepCheckpoint(t.Context(), "a", ten))
		wantCheckpoint(t, s, "a", &ten)
		noError(t, s.KeepCheckpoint(t.Context(), "a", checkpoint(9, "nine")))
		noError(t, s.KeepCheckpoint(t.Context(), "a", checkpoint(10, "other ten")))
		wantCheckpoint(t, s, "a", &ten)
		wantCheckpoint(t, s, "b", nil)
		eleven := checkpoint(11, "eleven")
		noError(t, s.KeepCheckpoint(t.Context(), "a", eleven))
		wantCheckpoint(t, reopen(), "a", &eleven)
	},

	"Checkpoint/empty tree": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		zero := checkpoint(0, "empty")
		noError(t, s.KeepCheckpoint(t.Context(), "a", zero))
		wantCheckpoint(t, s, "a", &zero)
	},

	"Checkpoint/absurd size": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		if err := s.KeepCheckpoint(t.Context(), "a", checkpoint(1<<63, "huge")); err == nil {
			t.Error("a checkpoint of size 2^63 was kept")
		}
		wantCheckpoint(t, s, "a", nil)
	},

	"Checkpoint/concurrent": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		var wg sync.WaitGroup
		for _, size := range rand.Perm(32) {
			wg.Go(func() {
				if err := s.KeepCheckpoint(t.Context(), "a", checkpoint(uint64(size), fmt.Sprint(size))); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		largest := checkpoint(31, "31")
		wantCheckpoint(t, s, "a", &largest)
	},

	"Fork": func(t *testing.T, open Open) {
		s, reopen := open(t, 0)
		noError(t, s.Forked(t.Context(), "a"))
		for range 2 {
			noError(t, s.KeepFork(t.Context(), "a", checkpoint(10, "one side"), checkpoint(12, "other side")))
		}
		noError(t, s.KeepFork(t.Context(), "a", checkpoint(10, "one side"), checkpoint(13, "third side")))
		wantError(t, s.Forked(t.Context(), "a"), gateway.ErrFork)
		noError(t, s.Forked(t.Context(), "b"))
		s = reopen()
		wantError(t, s.Forked(t.Context(), "a"), gateway.ErrFork)
	},
}
