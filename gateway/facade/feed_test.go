// SPDX-License-Identifier: Apache-2.0

package facade_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

// runOnce records texts by a gateway on a store that is closed after that, and returns their entries.
func runOnce(t *testing.T, path string, server *rekortest.Server, what string, n int) map[int64]string {
	t.Helper()
	store := openStore(t, path)
	r := join(t, store, openSource(t, store, server), filepath.Dir(path), oneTree)
	stop := r.run(t)
	entries := map[int64]string{}
	for id, index := range r.awaitAll(t, r.logAll(t, what, n)) {
		entries[index] = id.String()
	}
	stop()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return entries
}

// TestQueueStaysOpen: a facade that refuses to write makes no leaves, which would fill the queue until nobody can submit anything to Rekor v2. What
// is logged meanwhile stays listed.
func TestQueueStaysOpen(t *testing.T) {
	t.Parallel()
	folder, older := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	path, server := filepath.Join(folder, "db"), rekortest.StartServer(t)
	runOnce(t, path, server, "first ", 1)
	if err := os.CopyFS(older, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	runOnce(t, path, server, "second ", 1)
	store := must(sqlite.Open(t.Context(), filepath.Join(older, "db"), sqlite.Options{MaxPending: 5}))
	t.Cleanup(func() { _ = store.Close() })
	r := join(t, store, openSource(t, store, server), folder, oneTree)
	r.run(t)
	waitFor(t, "doubt", func() bool { return r.own.Trouble() == gateway.TroubleForgotten })
	for range 4 {
		subs := r.logAll(t, "third "+time.Now().String(), 3)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		if _, err := r.AwaitRecorded(ctx, subs[0], nil); !errors.Is(err, gateway.ErrUnavailable) || ctx.Err() != nil {
			t.Errorf("what cannot be recorded: %v", err)
		}
		cancel()
		r.Wake()
		time.Sleep(200 * time.Millisecond)
	}
	if waiting := must(store.Stats(t.Context())).Pending[treeLog(tree)]; waiting != 0 {
		t.Errorf("%d leaves wait", waiting)
	}
	if listed := must(store.Mirrored(t.Context(), sourceID, 99, 1<<20)); len(listed) != 12 {
		t.Errorf("listed are %d entries, want 12", len(listed))
	}
}
