// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

// maxPending bounds the queue of run.
const maxPending = 100

// TestMain lets more tests run at once than there are processors: they mostly wait for disks, and for logs.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

var errLost = errors.New("the answer was lost")

func openStore(t *testing.T, path string, maxPending int) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), path, sqlite.Options{MaxPending: maxPending})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// run starts a gateway over log on a store at path and returns it with what stops both.
func run(t *testing.T, log gateway.Log, path string, change func(*gatewaytest.Config)) (*gatewaytest.Gateway, func()) {
	t.Helper()
	store := openStore(t, path, maxPending)
	cfg := gatewaytest.Config{Logs: []gateway.Log{log}, Store: store, Timing: gatewaytest.Quick}
	if change != nil {
		change(&cfg)
	}
	g := gatewaytest.New(cfg)
	stopRooms := g.Start(t)
	stop := sync.OnceFunc(func() {
		stopRooms()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return g, stop
}

func startGateway(t *testing.T, log gateway.Log) *gatewaytest.Gateway {
	g, _ := run(t, log, filepath.Join(t.TempDir(), "gateway.db"), nil)
	return g
}

func submit(t *testing.T, s *gatewaytest.Gateway, r gateway.Request) gateway.Submission {
	t.Helper()
	sub, err := s.Submit(t.Context(), r, gatewaytest.NoArtifact)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

func wait(t *testing.T, s *gatewaytest.Gateway, id string) gateway.Submission {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	sub, err := s.Wait(ctx, gateway.DefaultTenant, id)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}
