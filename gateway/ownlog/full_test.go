// SPDX-License-Identifier: Apache-2.0

package ownlog_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

// TestFullQueue: a queue that is full of records is emptied by their anchor, for which there is room.
func TestFullQueue(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store := must(sqlite.Open(t.Context(), filepath.Join(folder, "db"), sqlite.Options{MaxPending: 3}))
	t.Cleanup(func() { _ = store.Close() })
	intake := join(t, store, folder, gatewaytest.NewLog(), 50*time.Millisecond, noShards)
	ctx, cancel := context.WithCancel(t.Context())
	var accepting sync.WaitGroup
	accepting.Go(func() { intake.Run(ctx) }) // and nothing else
	for i := range 3 {
		_ = must(intake.Submit(t.Context(), gatewaytest.Signed(t, fmt.Sprint(i)), gatewaytest.NoArtifact))
	}
	if _, err := intake.Submit(t.Context(), gatewaytest.Signed(t, "one more"), gatewaytest.NoArtifact); !errors.Is(err, gateway.ErrQueueFull) {
		t.Errorf("one more: %v", err)
	}
	cancel()
	accepting.Wait()
	r := join(t, store, folder, gatewaytest.NewLog(), 50*time.Millisecond, noShards)
	r.run(t)
	for deadline := time.Now().Add(20 * time.Second); must(store.OwnLog(t.Context(), ownID)).Logged < 3; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the queue stays full")
		}
	}
	r.logAll(t, "more", 3)
}
