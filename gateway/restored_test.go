// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

// TestRestoredCopy: an older copy of the store, in which an entry is still pending that has been logged since, does not log
// it again: be it one that was sent before without success or one that never was, and whether the whole folder is put back
// or the file alone.
func TestRestoredCopy(t *testing.T) {
	t.Parallel()
	refused := func(*gatewaytest.Log) {}
	down := func(l *gatewaytest.Log) { l.SetDown(gateway.ErrUnavailable) }
	for name, c := range map[string]struct {
		first func(*gatewaytest.Log)
		files string // of the copy that are put back
	}{
		"sent before, whole folder": {refused, "*"}, "sent before, the file": {refused, "gateway.db"},
		"never sent, whole folder": {down, "*"}, "never sent, the file": {down, "gateway.db"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := gatewaytest.NewLog(gatewaytest.Fault{Err: gateway.ErrNotSent})
				folder, backup := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "backup")
				c.first(log)
				keepCheckpoint(t, log, folder)
				g, stop := startUnhurried(t, log, folder)
				id := submit(t, g, gatewaytest.Signed(t, "hello")).ID
				time.Sleep(10 * time.Millisecond)
				stop()
				copyFiles(t, folder, backup, "*")

				log.SetDown(nil)
				g, stop = startUnhurried(t, log, folder)
				waitLong(t, g, id)
				stop()
				if logged, _ := log.Count(); logged != 1 {
					t.Fatalf("%d logged", logged)
				}

				if err := os.Remove(filepath.Join(folder, "gateway.db")); err != nil {
					t.Fatal(err)
				}
				copyFiles(t, backup, folder, c.files)
				g, stop = startUnhurried(t, log, folder)
				defer stop()
				waitLong(t, g, id)
				if logged, _ := log.Count(); logged != 1 {
					t.Errorf("%d logged", logged)
				}
			})
		})
	}
}

// startUnhurried runs a gateway on a store in folder, by a clock that may be simulated.
func startUnhurried(t *testing.T, log gateway.Log, folder string) (*gatewaytest.Gateway, func()) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(folder, "gateway.db"), sqlite.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	g := gatewaytest.New(gatewaytest.Config{Logs: []gateway.Log{log}, Store: store, Timing: unhurried})
	stop := g.Start(t)
	return g, func() { stop(); _ = store.Close() }
}

// keepCheckpoint stores a checkpoint of an empty log, as its adapter does before anything is sent.
func keepCheckpoint(t *testing.T, log gateway.Log, folder string) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(folder, "gateway.db"), sqlite.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.KeepCheckpoint(t.Context(), log.Describe().Shard, nil, gateway.Checkpoint{Envelope: []byte("empty")}); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

func waitLong(t *testing.T, g *gatewaytest.Gateway, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if sub, err := g.Wait(ctx, gateway.DefaultTenant, id); err != nil || sub.State != gateway.Logged {
		t.Fatalf("%s, %v", sub.State, err)
	}
}

func copyFiles(t *testing.T, from, to, pattern string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(from, pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, filepath.Base(name)), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
