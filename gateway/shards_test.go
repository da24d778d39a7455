// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

// rotating is a gateway over a log that rotates, by a simulated clock.
type rotating struct {
	*gatewaytest.Gateway
	log             *gatewaytest.Log
	here, elsewhere int // in doubt, as last told
}

func startRotating(t *testing.T, faults ...gatewaytest.Fault) *rotating {
	t.Helper()
	r := &rotating{log: gatewaytest.NewLog(faults...)}
	r.log.Delay = time.Minute
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "gateway.db"), sqlite.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	r.Gateway = gatewaytest.New(gatewaytest.Config{Logs: []gateway.Log{r.log}, Store: store, Timing: unhurried, Metrics: delivery.Metrics{
		InDoubt: func(_ string, here, elsewhere int) { r.here, r.elsewhere = here, elsewhere },
	}})
	stop := r.Start(t)
	t.Cleanup(func() { stop(); _ = store.Close() })
	return r
}

// stateAfter returns what a submission is after a while.
func (r *rotating) stateAfter(t *testing.T, id string, d time.Duration) gateway.State {
	t.Helper()
	time.Sleep(d)
	synctest.Wait()
	sub, err := r.Get(t.Context(), gateway.DefaultTenant, id)
	if err != nil {
		t.Fatal(err)
	}
	return sub.State
}

// TestFormerShard: an entry is in doubt in a shard that the log was before. Where it is there it is found; where it is not, it
// goes to the current one once that is certain, and not before.
func TestFormerShard(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		applied bool // the entry is in the former shard
		canary  bool // something that was sent later is there, and something after that
		closed  bool
		rekeyed bool // the tree goes on under the next key
		want    gateway.State
		sent    int
	}{
		"found":                    {applied: true, want: gateway.Logged, sent: 1},
		"absent":                   {want: gateway.Pending, sent: 1},
		"absent, canary":           {canary: true, want: gateway.Logged, sent: 4},
		"absent, closed":           {closed: true, want: gateway.Logged, sent: 2},
		"found, closed":            {applied: true, closed: true, want: gateway.Logged, sent: 1},
		"found where it goes on":   {applied: true, rekeyed: true, want: gateway.Logged, sent: 1},
		"absent where it goes on":  {rekeyed: true, want: gateway.Logged, sent: 2},
		"absent, canary, goes on ": {canary: true, rekeyed: true, want: gateway.Logged, sent: 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := startRotating(t, gatewaytest.Fault{Err: errLost, Applied: c.applied, Late: 3 * time.Second})
				former := r.log.Describe().Shard
				id := submit(t, r.Gateway, gatewaytest.Signed(t, "doubtful")).ID
				r.stateAfter(t, id, 2*time.Second) // it is seen to be in doubt
				if c.canary {
					wait(t, r.Gateway, submit(t, r.Gateway, gatewaytest.Signed(t, "later")).ID)
					r.stateAfter(t, id, 2*time.Second)
					wait(t, r.Gateway, submit(t, r.Gateway, gatewaytest.Signed(t, "after that")).ID)
				}
				if c.rekeyed {
					r.log.Rekey(2)
				} else {
					r.log.Rotate(2, gateway.FormerShard{Shard: former, Closed: c.closed})
				}
				if got := r.stateAfter(t, id, 20*time.Second); (got == gateway.Logged) != c.applied {
					t.Errorf("%s before the integration delay has passed", got)
				}
				if got := r.stateAfter(t, id, 10*time.Minute); got != c.want {
					t.Errorf("%s, want %s", got, c.want)
				}
				_, sent := r.log.Count()
				if sent != c.sent {
					t.Errorf("%d sent, want %d", sent, c.sent)
				}
				stuck := c.want == gateway.Pending
				if trouble := r.Degraded()["fake"]; (trouble == gateway.TroubleFormerShard) != stuck || (r.elsewhere == 1) != stuck {
					t.Errorf("trouble %q, %d in doubt elsewhere", trouble, r.elsewhere)
				}
			})
		})
	}
}

// TestClosedLater: what waits in a former shard goes on once the operator says that it is closed. One that is not configured
// waits as well, and is seen to.
func TestClosedLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := startRotating(t, gatewaytest.Fault{Err: errLost})
		former := r.log.Describe().Shard
		id := submit(t, r.Gateway, gatewaytest.Signed(t, "lost")).ID
		r.stateAfter(t, id, 2*time.Second)
		for _, shards := range [][]gateway.FormerShard{nil, {{Shard: former}}} {
			r.log.Rotate(2, shards...)
			if got := r.stateAfter(t, id, time.Hour); got != gateway.Pending || r.Degraded()["fake"] != gateway.TroubleFormerShard || r.elsewhere != 1 {
				t.Errorf("with %v: %s, trouble %q, %d elsewhere", shards, got, r.Degraded()["fake"], r.elsewhere)
			}
		}
		wait(t, r.Gateway, submit(t, r.Gateway, gatewaytest.Signed(t, "new")).ID)
		r.log.Rotate(2, gateway.FormerShard{Shard: former, Closed: true})
		if got := r.stateAfter(t, id, time.Minute); got != gateway.Logged || len(r.Degraded()) != 0 || r.elsewhere != 0 {
			t.Errorf("closed: %s, %v, %d elsewhere", got, r.Degraded(), r.elsewhere)
		}
		if logged, sent := r.log.Count(); logged != 2 || sent != 3 {
			t.Errorf("%d logged, %d sent", logged, sent)
		}
	})
}
