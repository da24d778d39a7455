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

func runChaos(t *testing.T, seed uint64) {
	c := &chaos{scriptedLog: scriptedLog{size: 1}, random: rand.New(rand.NewPCG(seed, 1))}
	whole := []int{40, 1, 2, 3, 4, 5, 16, 64}[seed/2%8]
	c.bounds = [2]int{whole, whole}
	for id := range int64(60 * whole) {
		c.lines = append(c.lines, &chaosEntry{id: id + 1})
	}
	shared := seed%2 == 0
	w := newWorker(c, Config{
		Store: c, Logger: slog.New(slog.DiscardHandler), Changed: func([]gateway.Progress) {}, Metrics: Metrics{}.withDefaults(), Shared: shared,
		Timing: Timing{AddTimeout: 10 * time.Second, Drain: 5 * time.Second, ProbeAfter: time.Hour}.withDefaults(),
		Limits: func(string) Limits { return Limits{InFlight: whole} },
	})
	w.next = func() []string { return nil }
	give := func(n int) {
		if w.budget.useShare(share{Share: gateway.Share{InFlight: int64(n)}, since: steady.Now(), replicas: 2}) {
			w.wakeWorker()
		}
	}
	give(whole)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.runWorker(ctx) })
	most := 0
	for range 120 {
		c.pause(3 * time.Second)
		most = max(most, w.held.count())
		c.mu.Lock()
		what, n := c.random.IntN(12), 1+c.random.IntN(3*whole/2+1)
		c.mu.Unlock()
		switch {
		case what == 0 && !shared:
			c.setBound(n)
			w.budget.setLimits(Limits{InFlight: n})
		case what == 1 && shared:
			c.setBound(min(n, whole))
			give(n)
		case what == 2:
			w.noteReading(gateway.ErrUnavailable)
		case what == 3:
			w.wakeWorker()
		case what == 4:
			c.mu.Lock()
			c.worst = !c.worst
			c.mu.Unlock()
		case shared && what < 10:
			c.mu.Lock()
			n := c.bounds[1]
			c.mu.Unlock()
			give(n)
		}
	}
	// All is well again: nothing waits for ever.
	c.mu.Lock()
	c.worst = false
	c.bounds = [2]int{whole, whole}
	c.mu.Unlock()
	w.budget.setLimits(Limits{InFlight: whole})
	for range 300 {
		if shared {
			give(whole)
		}
		time.Sleep(5 * time.Second)
	}
	c.mu.Lock()
	left := 0
	for _, e := range c.lines {
		if !e.over {
			left++
		}
	}
	c.mu.Unlock()
	if left > 0 || w.held.count() > 0 || !w.ahead.isEmpty() {
		c.complain("%d are left, %d under leases", left, w.held.count())
	}
	for range 10 * whole {
		c.mu.Lock()
		c.lines = append(c.lines, &chaosEntry{id: int64(len(c.lines) + 1)})
		c.mu.Unlock()
	}
	w.wakeWorker()
	if shared {
		give(whole)
	}
	c.pause(8 * time.Second)
	began := time.Now()
	cancel()
	running.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if took := time.Since(began); took > 8*time.Second {
		c.complain("the end takes %v", took)
	}
	b := w.budget
	if b.taken != 0 || b.pace.promised != 0 || b.flight.sending != 0 || b.flight.permits != 0 || len(w.held.held) != 0 || c.open != 0 {
		c.complain("%d slots taken, %d promised, %d sending, %d permits, %d leases at the end", b.taken, b.pace.promised, b.flight.sending, b.flight.permits, len(w.held.held))
	}
	t.Logf("%d sent, %d untried, at most %d under leases", c.sent, c.untriedN, most)
	for _, s := range slices.Compact(c.wrong) {
		t.Error(s)
	}
}
