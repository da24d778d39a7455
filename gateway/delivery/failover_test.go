// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// downStore cannot be read until it is up.
type downStore struct {
	gateway.Store
	up atomic.Bool
}

func (s *downStore) RetiredLogs(context.Context) ([]string, error) {
	if !s.up.Load() {
		return nil, errors.New("connection refused")
	}
	return nil, nil
}

func (s *downStore) Stats(context.Context) (gateway.Stats, error) { return gateway.Stats{}, nil }

// TestWatchUntilSaysOnce: an outage of the store is one line in the log, and the next one is another.
func TestWatchUntilSaysOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		store := &downStore{}
		d := &Delivery{cfg: Config{Logger: slog.New(slog.NewTextHandler(&said, nil)), Store: store}}
		d.workers.Store(&map[string]*runningWorker{})
		f := newFailover(d, d.cfg)
		ctx, cancel := context.WithCancel(t.Context())
		go f.watchUntil(ctx, time.Second)
		for _, up := range []bool{false, true, false} {
			store.up.Store(up)
			time.Sleep(10*time.Second + time.Millisecond)
			synctest.Wait()
		}
		cancel()
		synctest.Wait()
		if n := strings.Count(said.String(), "looking at the logs' queues"); n != 2 {
			t.Errorf("%d lines of two outages:\n%s", n, said.String())
		}
	})
}
