// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// undoneCounter is a log handler that counts the transactions that were undone for another one's sake.
type undoneCounter struct {
	slog.Handler
	t testing.TB
	n atomic.Int64
}

func newUndoneCounter(t testing.TB) *undoneCounter {
	return &undoneCounter{Handler: slog.DiscardHandler, t: t}
}

func (u *undoneCounter) Enabled(context.Context, slog.Level) bool { return true }

func (u *undoneCounter) Handle(_ context.Context, r slog.Record) error {
	if r.Message == undoneMessage {
		u.n.Add(1)
		r.Attrs(func(a slog.Attr) bool {
			u.t.Log(a)
			return true
		})
	}
	return nil
}

// crowd are several gateways that work on one store: what they were told, and what they hold.
type crowd struct {
	t      *testing.T
	stores []*Store
	undone *undoneCounter

	submitted, transactions atomic.Int64
	friendly                atomic.Bool // nothing is refused any more
	ended                   atomic.Bool // nothing more is submitted

	mu     sync.Mutex        // guards what follows
	seen   map[string]string // IDs by key
	leased map[int64]bool    // entries
	logged map[int64]int     // how often an entry was
}

const (
	crowdKeys    = 400
	crowdEntries = 60
)

// submission returns one of a few hundred, of several tenants, that have their entries in common.
func (c *crowd) submission() gateway.NewSubmission {
	n := rand.IntN(crowdKeys)
	r := rand.New(rand.NewPCG(uint64(n), 1)) // what belongs to a key is always the same
	tenant := fmt.Sprint("tenant", n%5)
	s := storetest.NewSubmission(tenant, fmt.Sprint("sub", n), "a", fmt.Sprint("own", n))
	for range r.IntN(3) {
		s.Entries = append(s.Entries, storetest.NewSubmission(tenant, "x", "a", fmt.Sprint("shared", r.IntN(crowdEntries))).Entries...)
	}
	if r.IntN(2) == 0 {
		s.Entries = append(s.Entries, storetest.NewSubmission(tenant, "x", "b", fmt.Sprint("shared", r.IntN(crowdEntries))).Entries...)
	}
	s.Priority = gateway.Priority(-r.IntN(2))
	if rand.IntN(4) == 0 {
		s.Priority = gateway.Interactive
	}
	s.ID = storetest.NewSubmission(fmt.Sprint(rand.Int64()), "", "").ID // as each request has
	return s
}

func (c *crowd) enqueue(s *Store) {
	var subs []gateway.NewSubmission
	for range 1 + rand.IntN(30) {
		subs = append(subs, c.submission())
	}
	out, err := s.Enqueue(c.t.Context(), subs)
	c.transactions.Add(1)
	if err != nil {
		c.t.Error(err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, o := range out {
		key := string(subs[i].Key[:])
		if o.Err != nil {
			c.t.Error(o.Err)
		}
		if id, known := c.seen[key]; known && id != o.Submission.ID {
			c.t.Errorf("two submissions of one key: %s and %s", id, o.Submission.ID)
		}
		c.seen[key] = o.Submission.ID
	}
	c.submitted.Add(int64(len(out)))
}

// work claims entries, extends some of their leases, and brings them back with all kinds of outcomes, now and then by
// another replica. It reports whether there was anything.
func (c *crowd) work(s, other *Store, log string) bool {
	claimed, err := s.Claim(c.t.Context(), gateway.ClaimParams{Log: log, Lease: time.Minute, Limit: 20, InFlight: 1000, Shard: gateway.Shard{Origin: log}, TreeSize: 1})
	c.transactions.Add(2)
	if err != nil {
		c.t.Error(err)
		return false
	}
	c.mu.Lock()
	for _, e := range claimed {
		if c.leased[e.ID] || c.logged[e.ID] > 0 {
			c.t.Errorf("entry %d was handed out twice", e.ID)
		}
		c.leased[e.ID] = true
	}
	c.mu.Unlock()
	rand.Shuffle(len(claimed), func(i, j int) { claimed[i], claimed[j] = claimed[j], claimed[i] })
	var outcomes []gateway.Outcome
	var leases []gateway.Lease
	for _, e := range claimed {
		outcomes = append(outcomes, c.outcomeOf(e))
		leases = append(leases, gateway.Lease{EntryID: e.ID, Fence: e.Fence})
	}
	if lost, err := s.Extend(c.t.Context(), leases, time.Minute); err != nil || len(lost) > 0 {
		c.t.Errorf("extending: %d lost, %v", len(lost), err)
	}
	c.mu.Lock()
	for _, o := range outcomes {
		delete(c.leased, o.EntryID) // others may claim it once Finish has committed
		if o.Inclusion != nil {
			c.logged[o.EntryID]++
		}
	}
	c.mu.Unlock()
	if _, err := other.Finish(c.t.Context(), outcomes); err != nil {
		c.t.Error(err)
	}
	return len(claimed) > 0
}

func (c *crowd) outcomeOf(e gateway.Claimed) gateway.Outcome {
	o := gateway.Outcome{EntryID: e.ID, Fence: e.Fence}
	switch n := rand.IntN(10); {
	case n == 0 && !c.friendly.Load(): // somebody sends it again
		o.Fail, o.Problem = true, "REFUSED"
	case n <= 2:
		o.Retry, o.Problem = true, "BUSY"
	default:
		o.Inclusion = storetest.NewInclusion(e.ID)
	}
	return o
}

// TestReplicas has three gateways enqueue, claim and finish at once, with submissions and entries in common: nothing is
// lost, doubled, or handed out twice, and no transaction waits for one that waits for it.
func TestReplicas(t *testing.T) {
	c := &crowd{t: t, undone: newUndoneCounter(t), seen: map[string]string{}, leased: map[int64]bool{}, logged: map[int64]int{}}
	dsn := newDatabase(t)
	for range 3 {
		c.stores = append(c.stores, open(t, dsn, Options{Logger: slog.New(c.undone)}))
	}
	var submitting, working sync.WaitGroup
	for i, s := range c.stores {
		for range 2 {
			submitting.Go(func() {
				for range 40 {
					c.enqueue(s)
				}
			})
		}
		for _, log := range []string{"a", "a", "b"} {
			working.Go(func() {
				for !t.Failed() {
					if worked := c.work(s, c.stores[(i+rand.IntN(2))%3], log); !worked && c.ended.Load() {
						return
					}
				}
			})
		}
	}
	submitting.Wait()
	c.friendly.Store(true)
	for range 2 { // most of what failed, and was not sent again since, is now
		var subs []gateway.NewSubmission
		for range 4 * crowdKeys {
			subs = append(subs, c.submission())
		}
		if _, err := c.stores[0].Enqueue(t.Context(), subs); err != nil {
			t.Fatal(err)
		}
	}
	c.ended.Store(true)
	working.Wait()
	checkRows(t, dsn)
	for key, id := range c.seen {
		found, err := c.stores[1].Progress(t.Context(), []string{id})
		if err != nil || len(found) != 1 {
			t.Fatalf("submission %s of key %x: %v, %v", id, key[:4], found, err)
		}
	}
	stats, err := c.stores[2].Stats(t.Context())
	if err != nil || len(stats.Pending) != 0 {
		t.Errorf("%v are pending, %v", stats.Pending, err)
	}
	t.Logf("%d submitted, %d of them new, %d entries, %d transactions, %d undone", c.submitted.Load(), len(c.seen), len(c.logged), c.transactions.Load(), c.undone.n.Load())
	if n := c.undone.n.Load(); n > 2 {
		t.Errorf("%d of %d transactions were undone", n, c.transactions.Load())
	}
}

// TestInsertOrder: gateways that store the same new submissions and entries at once, in any order, never wait for each
// other in a circle.
func TestInsertOrder(t *testing.T) {
	undone, dsn := newUndoneCounter(t), newDatabase(t)
	var stores []*Store
	for range 3 {
		stores = append(stores, open(t, dsn, Options{Logger: slog.New(undone)}))
	}
	for round := range 6 {
		var at sync.WaitGroup
		for i := range 6 {
			at.Go(func() {
				var subs []gateway.NewSubmission
				for n := range 200 {
					sub := storetest.NewSubmission(fmt.Sprint("tenant", i), fmt.Sprint(round, n), "log", fmt.Sprint("shared", round, n))
					if round%2 == 0 {
						sub = storetest.NewSubmission("same", fmt.Sprint(round, n), "log")
						sub.ID = storetest.NewSubmission(fmt.Sprint(i, round, n), "", "").ID
					}
					subs = append(subs, sub)
				}
				rand.Shuffle(len(subs), func(i, j int) { subs[i], subs[j] = subs[j], subs[i] })
				if _, err := stores[i%3].Enqueue(t.Context(), subs); err != nil {
					t.Error(err)
				}
			})
		}
		at.Wait()
	}
	if n := undone.n.Load(); n > 0 {
		t.Errorf("%d transactions were undone", n)
	}
	checkRows(t, dsn)
}
