// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

// maxPending bounds the queue of run.
const maxPending = 100

var errLost = errors.New("the answer was lost")

var quick = gateway.WorkerConfig{
	AddTimeout: 300 * time.Millisecond, Lease: 2 * time.Second, SettleAfter: 400 * time.Millisecond,
	Poll: 20 * time.Millisecond, Drain: 100 * time.Millisecond,
}

func openStore(t *testing.T, path string, maxPending int) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), path, sqlite.Options{MaxPending: maxPending})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// run starts a service over log on a store at path and returns it with what stops both.
func run(t *testing.T, log gateway.Log, path string, change func(*gateway.Config)) (*gateway.Service, func()) {
	t.Helper()
	store := openStore(t, path, maxPending)
	cfg := gateway.Config{
		Formats: all.Formats(), Logs: []gateway.Log{log}, Store: store, Worker: quick,
		Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	s := gateway.NewService(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	stop := sync.OnceFunc(func() {
		cancel()
		<-done
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return s, stop
}

func service(t *testing.T, log gateway.Log) *gateway.Service {
	s, _ := run(t, log, filepath.Join(t.TempDir(), "gateway.db"), nil)
	return s
}

func submit(t *testing.T, s *gateway.Service, r gateway.Request) gateway.Submission {
	t.Helper()
	draft, err := s.Begin(r)
	if err != nil {
		t.Fatal(err)
	}
	sub, err := draft.Submit(t.Context(), formats.Artifact{})
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

func wait(t *testing.T, s *gateway.Service, id string) gateway.Submission {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	sub, err := s.Wait(ctx, gateway.DefaultTenant, id)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}
