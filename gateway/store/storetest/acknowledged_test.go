// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// early acknowledges what one method does before it is stored: a crash takes it away.
type early struct {
	gateway.Store
	call func(method string)
}

func (s early) Enqueue(ctx context.Context, subs []gateway.NewSubmission) ([]gateway.Enqueued, error) {
	s.call("Enqueue")
	return s.Store.Enqueue(ctx, subs)
}

func (s early) Claim(ctx context.Context, p gateway.ClaimParams) ([]gateway.Claimed, error) {
	s.call("Claim")
	return s.Store.Claim(ctx, p)
}

func (s early) Extend(ctx context.Context, leases []gateway.Lease, lease time.Duration) ([]gateway.Lease, error) {
	s.call("Extend")
	return s.Store.Extend(ctx, leases, lease)
}

func (s early) Finish(ctx context.Context, outcomes []gateway.Outcome) ([]gateway.Progress, error) {
	s.call("Finish")
	return s.Store.Finish(ctx, outcomes)
}

func (s early) Settle(ctx context.Context, settlements []gateway.Settlement) ([]gateway.Progress, error) {
	s.call("Settle")
	return s.Store.Settle(ctx, settlements)
}

func (s early) DoubtPending(ctx context.Context, log string, shard gateway.Shard) (int, error) {
	s.call("DoubtPending")
	return s.Store.DoubtPending(ctx, log, shard)
}

func (s early) Move(ctx context.Context, p gateway.MoveParams) (gateway.Moved, error) {
	s.call("Move")
	return s.Store.Move(ctx, p)
}

func (s early) Retire(ctx context.Context, p gateway.RetireParams) (gateway.Retired, error) {
	s.call("Retire")
	return s.Store.Retire(ctx, p)
}

func (s early) Reinstate(ctx context.Context, log string) error {
	s.call("Reinstate")
	return s.Store.Reinstate(ctx, log)
}

func (s early) KeepCheckpoint(ctx context.Context, shard gateway.Shard, old *gateway.Checkpoint, c gateway.Checkpoint) (*gateway.Checkpoint, error) {
	s.call("KeepCheckpoint")
	return s.Store.KeepCheckpoint(ctx, shard, old, c)
}

func (s early) KeepFork(ctx context.Context, f gateway.Fork) error {
	s.call("KeepFork")
	return s.Store.KeepFork(ctx, f)
}

func (s early) AddOwnLog(ctx context.Context, log, origin string) error {
	s.call("AddOwnLog")
	return s.Store.AddOwnLog(ctx, log, origin)
}

func (s early) CloseOwnLog(ctx context.Context, p gateway.CloseParams) (gateway.Moved, error) {
	s.call("CloseOwnLog")
	return s.Store.CloseOwnLog(ctx, p)
}

func (s early) Sequence(ctx context.Context, log string, limit int, grow gateway.GrowTree) (gateway.OwnLog, int, error) {
	s.call("Sequence")
	return s.Store.Sequence(ctx, log, limit, grow)
}

func (s early) KeepAnchor(ctx context.Context, log string, a gateway.OwnAnchor) error {
	s.call("KeepAnchor")
	return s.Store.KeepAnchor(ctx, log, a)
}

func (s early) LogAnchored(ctx context.Context, log string, limit int) ([]gateway.Progress, error) {
	s.call("LogAnchored")
	return s.Store.LogAnchored(ctx, log, limit)
}

// acknowledgeEarly returns a driver of stores that acknowledge the method too early; "" is none.
func acknowledgeEarly(method string) Driver {
	return func(t *testing.T, o Options) Opened {
		path := filepath.Join(t.TempDir(), "store.db")
		left := "" // of a crash
		return Opened{
			Store: early{openFile(t, path, o), func(called string) {
				if called == method {
					left = copyFiles(t, path)
				}
			}},
			Crash: func() gateway.Store {
				if left == "" {
					left = copyFiles(t, path)
				}
				return openFile(t, left, o)
			},
		}
	}
}

// TestEarlyAcknowledgements: whatever method acknowledges what is not stored yet, a test fails. Each has one.
func TestEarlyAcknowledgements(t *testing.T) {
	if failed := findFailure(t, acknowledgeEarly(""), "", acknowledgedTests); failed != "" {
		t.Errorf("a good store fails: %q", failed)
	}
	for name, test := range acknowledgedTests {
		method := strings.TrimPrefix(name, "Acknowledged/")
		t.Run(method, func(t *testing.T) {
			if failed := findFailure(t, acknowledgeEarly(method), "", map[string]func(testing.TB, opening){name: test}); failed == "" {
				t.Error("passes")
			}
		})
	}
}
