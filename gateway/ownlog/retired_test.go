// SPDX-License-Identifier: Apache-2.0

package ownlog_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
)

// TestAnchorGivenUp: where an anchor was given up with its log, the next one goes to the logs that are in use since.
func TestAnchorGivenUp(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store, gone := openStore(t, filepath.Join(folder, "db")), gatewaytest.NewLog()
	gone.SetDown(gateway.ErrUnavailable)
	r := join(t, store, folder, gone, 50*time.Millisecond, noShards)
	stop := r.run(t)
	var waiting sync.WaitGroup
	var sub gateway.Submission
	waiting.Go(func() {
		sub = must(r.Submit(context.Background(), gatewaytest.Signed(t, "waits"), gatewaytest.NoArtifact))
	})
	waiting.Wait()
	anchors := func(state gateway.State) int {
		page, _, err := store.List(t.Context(), gateway.AnchorTenant(ownID), gateway.ListParams{State: state})
		if err != nil {
			t.Fatal(err)
		}
		return len(page)
	}
	await(t, "an anchor", func() bool { return anchors(gateway.Pending) == 1 })
	stop()
	if _, err := store.Retire(t.Context(), gateway.RetireParams{Log: gone.Describe().ID, GiveUpDoubt: true, Limit: 10}); err != nil || anchors(gateway.Failed) != 1 {
		t.Fatalf("%d anchors are given up, %v", anchors(gateway.Failed), err)
	}
	next := gatewaytest.NewLog()
	next.Name = "next"
	r = join(t, store, folder, next, 50*time.Millisecond, noShards)
	r.run(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := r.Await(ctx, &sub); err != nil || sub.State != gateway.Logged {
		t.Fatalf("%s, %v, with %d anchors given up", sub.State, err, anchors(gateway.Failed))
	}
	if logged, _ := next.Count(); logged != 1 {
		t.Errorf("%d anchors", logged)
	}
}
