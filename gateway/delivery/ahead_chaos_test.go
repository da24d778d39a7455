// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/steady"
)

// chaos is a store and a log that fail in all ways at random, and hold a worker to what it owes both.
type chaos struct {
	lineStore
	scriptedLog

	random *rand.Rand
	worst  bool // nothing works for now

	lines    []*chaosEntry
	open     int
	until    time.Time // not to be sent to before
	said     time.Time // when the log said so
	bounds   [2]int    // before the last change, and now
	wrong    []string
	sent     int
	untriedN int
}

type chaosEntry struct {
	id, fence int64
	leased    time.Time // until then
	next      time.Time
	open      bool
	over      bool
	before    bool // was sent
}

func (c *chaos) complain(format string, args ...any) {
	if len(c.wrong) < 20 {
		c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
	}
}

func (c *chaos) roll(n int) bool { return c.random.IntN(n) == 0 }

func (c *chaos) pause(d time.Duration) {
	c.mu.Lock()
	d = time.Duration(c.random.Int64N(int64(d)))
	c.mu.Unlock()
	time.Sleep(d)
}

func (c *chaos) Claim(_ context.Context, p gateway.ClaimParams) (claimed []gateway.Claimed, err error) {
	c.pause(5 * time.Millisecond)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.worst && c.roll(3) || c.roll(100) {
		return nil, gateway.ErrStoreUnavailable
	}
	now, leased := time.Now(), 0
	for _, e := range c.lines {
		if !e.over && e.leased.After(now) {
			leased++
		}
	}
	for _, e := range c.lines {
		if len(claimed) >= min(p.Limit, p.InFlight-leased) {
			break
		}
		if e.over || e.next.After(now) || e.leased.After(now) {
			continue
		}
		if !e.leased.IsZero() { // it has ended: in doubt
			e.over = true
			continue
		}
		e.fence++
		e.leased = now.Add(p.Lease)
		entry := gateway.Entry{ID: e.id, Fence: e.fence, Shard: p.Shard, SentAtTreeSize: &p.TreeSize, Attempts: 1}
		binary.BigEndian.PutUint64(entry.LeafHash[:], uint64(e.id))
		claimed = append(claimed, gateway.Claimed{Entry: entry, Body: []byte("b"), Yields: e.id%3 == 0})
	}
	return claimed, nil
}

func (c *chaos) Finish(_ context.Context, outcomes []gateway.Outcome) ([]gateway.Progress, error) {
	c.pause(20 * time.Millisecond)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.worst && c.roll(3) {
		return nil, gateway.ErrStoreUnavailable
	}
	for _, o := range outcomes {
		e := c.lines[o.EntryID-1]
		if e.fence != o.Fence || e.leased.IsZero() {
			c.complain("number %d: outcome of lease %d, which is at %d", e.id, o.Fence, e.fence)
			continue
		}
		if e.open {
			c.complain("number %d has an outcome while it is under way", e.id)
		}
		e.leased = time.Time{}
		switch {
		case o.Untried:
			c.untriedN++
			if e.before {
				c.complain("number %d was sent, and counts as untried", e.id)
			}
			e.next = time.Now().Add(o.RetryIn)
		case o.Retry && !o.InDoubt:
			e.next = time.Now().Add(o.RetryIn)
		default:
			e.over = true
		}
		e.before = false
	}
	return nil, nil
}

func (c *chaos) Extend(_ context.Context, leases []gateway.Lease, d time.Duration) (lost []gateway.Lease, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.worst && c.roll(2) {
		return nil, gateway.ErrStoreUnavailable
	}
	for _, l := range leases {
		if e := c.lines[l.EntryID-1]; e.fence == l.Fence && !e.leased.IsZero() && !e.over && !c.roll(200) {
			e.leased = time.Now().Add(d)
		} else {
			lost = append(lost, l)
		}
	}
	return lost, nil
}

func (c *chaos) Size(context.Context, gateway.Shard) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.worst && c.roll(3) {
		return 0, gateway.ErrUnavailable
	}
	return 1, nil
}

func (c *chaos) Add(ctx context.Context, _ gateway.Shard, p gateway.Prepared) (*gateway.Inclusion, error) {
	id := int64(binary.BigEndian.Uint64(p.LeafHash[:]))
	c.mu.Lock()
	now, e := time.Now(), c.lines[id-1]
	c.sent++
	c.open++
	switch {
	case e.open || e.before:
		c.complain("number %d is sent twice under one lease", id)
	case c.open > max(c.bounds[0], c.bounds[1]):
		c.complain("%d at once", c.open)
	case now.Before(c.until) && now.Sub(c.said) > 10*time.Millisecond:
		c.complain("sent %v before the log's time, %v after it said so", c.until.Sub(now), now.Sub(c.said))
	}
	e.open, e.before = true, true
	how, took := c.random.IntN(100), time.Until(now.Add(time.Duration(c.random.Int64N(int64(2*time.Second)))).Truncate(100*time.Millisecond)) // many at once
	bad := c.worst
	c.mu.Unlock()
	var err error
	switch {
	case bad && how < 20:
		<-ctx.Done()
	case bad && how < 60:
		err = gateway.ErrNotSent
	case how < 3:
		err = gateway.ErrRefused
	case bad && how < 70:
		err = &gateway.OverloadError{RetryAfter: took}
	case how < 5:
		err = gateway.ErrUnreadable
	}
	select {
	case <-time.After(took):
	case <-ctx.Done():
		err = ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	e.open = false
	var overload *gateway.OverloadError
	if errors.As(err, &overload) && time.Now().Add(overload.RetryAfter).After(c.until) {
		c.said, c.until = time.Now(), time.Now().Add(overload.RetryAfter)
	}
	if err != nil {
		return nil, err
	}
	return &gateway.Inclusion{Kind: "k", Proof: []byte("p"), Index: 5}, nil
}

func (c *chaos) setBound(n int) {
	c.mu.Lock()
	c.bounds = [2]int{c.bounds[1], n}
	c.mu.Unlock()
}

// TestChaosAhead: whatever fails, and whatever bound changes, no slot is lost, no more is under way than may be, nothing is sent twice under one lease or counts as
// untried that was, and nothing waits for ever.
func TestChaosAhead(t *testing.T) {
	t.Parallel()
	for seed := range uint64(16) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runChaos(t, seed) })
		})
	}
}

// chaosRun is a worker amid chaos.
type chaosRun struct {
	*chaos
	w      *worker
	whole  int // may be under way at once
	shared bool
}

func runChaos(t *testing.T, seed uint64) {
	whole := []int{40, 1, 2, 3, 4, 5, 16, 64}[seed/2%8]
	c := &chaos{scriptedLog: scriptedLog{size: 1}, random: rand.New(rand.NewPCG(seed, 1)), bounds: [2]int{whole, whole}}
	r := &chaosRun{chaos: c, whole: whole, shared: seed%2 == 0}
	r.addEntries(60 * whole)
	r.w = newWorker(c, Config{
		Store: c, Logger: slog.New(slog.DiscardHandler), Changed: func([]gateway.Progress) {}, Metrics: Metrics{}.withDefaults(), Shared: r.shared,
		Timing: Timing{AddTimeout: 10 * time.Second, Drain: 5 * time.Second, ProbeAfter: time.Hour}.withDefaults(),
		Limits: func(string) Limits { return Limits{InFlight: whole} },
	})
	r.w.next = func() []string { return nil }
	r.give(whole)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { r.w.runWorker(ctx) })
	most := 0
	for range 120 {
		c.pause(3 * time.Second)
		most = max(most, r.w.held.count())
		r.changeSomething()
	}
	r.recover()
	r.addEntries(10 * whole)
	r.w.wakeWorker()
	r.give(whole)
	c.pause(8 * time.Second)
	began := time.Now()
	cancel()
	running.Wait()
	r.checkEnd(time.Since(began))
	t.Logf("%d sent, %d untried, at most %d under leases", c.sent, c.untriedN, most)
	for _, s := range slices.Compact(c.wrong) {
		t.Error(s)
	}
}

func (r *chaosRun) addEntries(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range n {
		r.lines = append(r.lines, &chaosEntry{id: int64(len(r.lines) + 1)})
	}
}

// give renews the share, where there is one.
func (r *chaosRun) give(n int) {
	if r.w.budget.useShare(share{Share: gateway.Share{InFlight: int64(n)}, since: steady.Now(), replicas: 2}) {
		r.w.wakeWorker()
	}
}

func (r *chaosRun) changeSomething() {
	r.mu.Lock()
	what, n, bound := r.random.IntN(12), 1+r.random.IntN(3*r.whole/2+1), r.bounds[1]
	r.mu.Unlock()
	switch {
	case what == 0 && !r.shared:
		r.setBound(n)
		r.w.budget.setLimits(Limits{InFlight: n})
	case what == 1 && r.shared:
		r.setBound(min(n, r.whole))
		r.give(n)
	case what == 2:
		r.w.noteReading(gateway.ErrUnavailable)
	case what == 3:
		r.w.wakeWorker()
	case what == 4:
		r.mu.Lock()
		r.worst = !r.worst
		r.mu.Unlock()
	case r.shared && what < 10:
		r.give(bound)
	}
}

// recover has all be well again: nothing waits for ever then.
func (r *chaosRun) recover() {
	r.mu.Lock()
	r.worst, r.bounds = false, [2]int{r.whole, r.whole}
	r.mu.Unlock()
	r.w.budget.setLimits(Limits{InFlight: r.whole})
	for range 300 {
		r.give(r.whole)
		time.Sleep(5 * time.Second)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	left := 0
	for _, e := range r.lines {
		if !e.over {
			left++
		}
	}
	if left > 0 || r.w.held.count() > 0 || !r.w.ahead.isEmpty() {
		r.complain("%d are left, %d under leases", left, r.w.held.count())
	}
}

// checkEnd looks at what an end that took so long has left.
func (r *chaosRun) checkEnd(took time.Duration) {
	if took > 8*time.Second {
		r.complain("the end takes %v", took)
	}
	time.Sleep(clockwork) // until then what was fast is not recorded
	synctest.Wait()
	b := r.w.budget
	if b.taken != 0 || b.pace.promised != 0 || b.flight.sending.Load() != 0 || b.flight.permits != 0 || len(r.w.held.held) != 0 || r.open != 0 {
		r.complain("%d slots taken, %d promised, %d sending, %d permits, %d leases at the end", b.taken, b.pace.promised, b.flight.sending.Load(), b.flight.permits, len(r.w.held.held))
	}
}
