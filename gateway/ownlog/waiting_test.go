// SPDX-License-Identifier: Apache-2.0

package ownlog_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/ownlog"
)

// TestAnchorsWaitBounded: for a log that is down and can be done without, few anchors wait. It gets new ones when it is back.
func TestAnchorsWaitBounded(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store, log, down := openStore(t, filepath.Join(folder, "db")), gatewaytest.NewLog(), gatewaytest.NewLog()
	down.Name = "down" // nothing is sent to it
	set := ownlog.LogSet{List: []gateway.Recorder{down, log}, Need: 1}
	r := join(t, store, folder, log, time.Millisecond, noShards, func(cfg *ownlog.Config) {
		cfg.Anchors = func() ownlog.LogSet { return set }
	})
	r.run(t)
	const most, anchors = 16, 25
	for i := range anchors {
		r.logAll(t, fmt.Sprint("record ", i), 1)
	}
	page, _, err := store.List(t.Context(), gateway.AnchorTenant(ownID), gateway.ListParams{PageSize: 100})
	stats := must(store.Stats(t.Context()))
	if err != nil || len(page) < anchors || stats.Pending["down"] != most {
		t.Fatalf("%d anchors, of which %d wait, %v", len(page), stats.Pending["down"], err)
	}
	back := delivery.New(delivery.Config{
		Logs: []gateway.Log{down}, Elsewhere: []string{ownID, "fake"}, Store: store, Probe: gatewaytest.NewProbe, Timing: gatewaytest.Quick,
		Logger: slog.New(slog.DiscardHandler), Changed: func([]gateway.Progress) {},
	})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go back.Run(ctx)
	await(t, "all is sent", func() bool { return must(store.Stats(t.Context())).Pending["down"] == 0 })
	sent, _ := down.Count()
	r.logAll(t, "after", 1)
	await(t, "it gets new anchors", func() bool { now, _ := down.Count(); return now > sent })
}
