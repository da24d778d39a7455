// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
)

// slowLog takes its time for every Add.
type slowLog struct {
	*gatewaytest.Log
	takes time.Duration
	adds  *atomic.Int32
}

func (l slowLog) Add(ctx context.Context, shard gateway.Shard, e gateway.Prepared) (*gateway.Inclusion, error) {
	l.adds.Add(1)
	time.Sleep(l.takes)
	return l.Log.Add(ctx, shard, e)
}

// forgetfulStore lets every lease run out.
type forgetfulStore struct{ gateway.Store }

func (forgetfulStore) Extend(context.Context, []gateway.Lease, time.Duration) ([]gateway.Lease, error) {
	return nil, errors.New("no space left on device")
}

// A worker does not take its own entry for one that is in doubt, since its lease ran out, and send it
// beside itself: its log is one that does not let go.
func TestOwnLostLeaseIsNotSentTwice(t *testing.T) {
	t.Parallel()
	log := slowLog{gatewaytest.NewLog(), time.Second, new(atomic.Int32)}
	s, _ := run(t, log, filepath.Join(t.TempDir(), "gateway.db"), func(c *gatewaytest.Config) {
		c.Store = forgetfulStore{c.Store}
		c.Timing.Lease, c.Timing.AddTimeout = 100*time.Millisecond, 10*time.Second
	})
	id := submit(t, s, gatewaytest.Signed(t, "hello")).ID
	if sub := wait(t, s, id); sub.State != gateway.Logged {
		t.Fatalf("state %s", sub.State)
	}
	if n := log.adds.Load(); n != 1 {
		t.Errorf("sent %d times", n)
	}
}
