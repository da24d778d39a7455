// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/intake"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

// A log that cannot be used is left out once its share of what may be pending waits for it: it would fill the queue, and
// hold up the others.
func TestFullLogIsLeftOut(t *testing.T) {
	t.Parallel()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "gateway.db"), sqlite.Options{MaxPending: 9})
	if err != nil {
		t.Fatal(err)
	}
	down, up := gatewaytest.NewLog(), gatewaytest.NewLog()
	down.Name, up.Name = "down", "up"
	down.SetDown(gateway.ErrUnavailable)
	logs := []gateway.Log{down, up}
	d := joinRooms(store, nil,
		intake.Config{Formats: all.Formats(), Policies: intake.ForEverybody(intake.Policy{Logs: intake.LogSet{List: intake.ListRecorders(logs), Need: 1}}), Queue: store, Archive: store},
		delivery.Config{Logs: logs, Store: store, Timing: gatewaytest.Quick, Logger: slog.New(slog.DiscardHandler)})
	d.roomEntries = 9
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { d.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		_ = store.Close()
	})
	for n := range 30 {
		sub, err := d.Submit(t.Context(), gatewaytest.Signed(t, "hello"), gatewaytest.NoArtifact)
		if err != nil {
			t.Fatalf("submission %d: %v", n, err)
		}
		if sub = settled(t, d, sub.ID, 20*time.Second); sub.State != gateway.Logged {
			t.Fatalf("submission %d is %s", n, sub.State)
		}
		time.Sleep(2 * gatewaytest.Quick.Poll) // what waits is counted now and then
	}
	stats, err := store.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := stats.Pending["down"]; n < 3 || n > 6 {
		t.Errorf("%d entries wait for the log that is down, want about 3", n)
	}
}
