// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// tripCounter counts how often the server is asked, and answers.
type tripCounter struct{ n atomic.Int64 }

var (
	_ pgx.QueryTracer = (*tripCounter)(nil)
	_ pgx.BatchTracer = (*tripCounter)(nil)
)

func (c *tripCounter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.n.Add(1)
	return ctx
}

func (c *tripCounter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (c *tripCounter) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	c.n.Add(1)
	return ctx
}

func (c *tripCounter) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

func (c *tripCounter) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// countTrips has a store ask by one connection, whose trips are counted.
func (s *Store) countTrips(t *testing.T, counter *tripCounter) {
	t.Helper()
	config := s.pool.Config()
	config.MaxConns, config.ConnConfig.Tracer = 1, counter
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	s.pool.Close()
	s.pool = pool
}

// TestTrips: the server is asked a few times for a whole batch, however large it is.
func TestTrips(t *testing.T) {
	s, counter := open(t, newDatabase(t), Options{MaxPending: 1_000_000}), new(tripCounter)
	s.countTrips(t, counter)
	const batch = 256
	for round := range 2 { // in the first one names are new, and statements are prepared
		var subs []gateway.NewSubmission
		for i := range batch {
			subs = append(subs, storetest.NewSubmission(fmt.Sprint("tenant", i%10), fmt.Sprint(round, " ", i), "log"))
		}
		var claimed []gateway.Claimed
		var ids []string
		for _, step := range []struct {
			name string
			most int64
			call func() error
		}{
			{"enqueuing new submissions", 8, func() error {
				_, err := s.Enqueue(t.Context(), subs)
				return err
			}},
			{"enqueuing known ones", 8, func() error {
				_, err := s.Enqueue(t.Context(), subs)
				return err
			}},
			{"enqueuing shared entries", 10, func() error {
				shared := make([]gateway.NewSubmission, batch)
				for i := range shared {
					shared[i] = storetest.NewSubmission("another", fmt.Sprint(round, " ", i), "log")
				}
				_, err := s.Enqueue(t.Context(), shared)
				return err
			}},
			{"claiming", 10, func() (err error) {
				claimed, err = s.Claim(t.Context(), gateway.ClaimParams{Log: "log", Lease: time.Minute, Limit: batch, InFlight: batch})
				return err
			}},
			{"extending", 4, func() error {
				var leases []gateway.Lease
				for _, c := range claimed {
					leases = append(leases, gateway.Lease{EntryID: c.ID, Fence: c.Fence})
				}
				_, err := s.Extend(t.Context(), leases, time.Minute)
				return err
			}},
			{"finishing", 6, func() error {
				var outcomes []gateway.Outcome
				for _, c := range claimed {
					outcomes = append(outcomes, gateway.Outcome{EntryID: c.ID, Fence: c.Fence, Inclusion: storetest.NewInclusion(c.ID)})
				}
				changed, err := s.Finish(t.Context(), outcomes)
				for _, p := range changed {
					ids = append(ids, p.ID)
				}
				return err
			}},
			{"asking how far they are", 1, func() error {
				found, err := s.Progress(t.Context(), ids)
				if err == nil && len(found) != len(ids) {
					err = fmt.Errorf("%d of %d", len(found), len(ids))
				}
				return err
			}},
		} {
			counter.n.Store(0)
			if err := step.call(); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			n := counter.n.Load()
			t.Logf("%s: %d trips", step.name, n)
			if round > 0 && n > step.most {
				t.Errorf("%s: %d trips, at most %d wanted", step.name, n, step.most)
			}
		}
		if len(claimed) != batch {
			t.Errorf("%d claimed", len(claimed))
		}
	}
}

// TestOwnTrips is TestTrips for a log of the gateway's own, whose tree has several levels.
func TestOwnTrips(t *testing.T) {
	s, counter := open(t, newDatabase(t), Options{}), new(tripCounter)
	s.countTrips(t, counter)
	if err := s.AddOwnLog(t.Context(), "own", "own.example"); err != nil {
		t.Fatal(err)
	}
	const batch = 300
	for round := range 3 { // in the first one statements are prepared
		var subs []gateway.NewSubmission
		for i := range batch {
			subs = append(subs, storetest.NewSubmission("tenant", fmt.Sprint(round, " ", i), "own"))
		}
		var l gateway.OwnLog
		for _, step := range []struct {
			name string
			most int64
			call func() error
		}{
			{"enqueuing", 8, func() error {
				_, err := s.Enqueue(t.Context(), subs)
				return err
			}},
			{"sequencing", 10, func() (err error) {
				l, _, err = s.Sequence(t.Context(), "own", batch, storetest.GrowTree)
				return err
			}},
			{"keeping an anchor", 6, func() error {
				return s.KeepAnchor(t.Context(), "own", gateway.OwnAnchor{Tree: l.Tree, Submission: "anchor"})
			}},
			{"logging", 8, func() error {
				changed, err := s.LogAnchored(t.Context(), "own", batch)
				if err == nil && len(changed) != batch {
					err = fmt.Errorf("%d logged", len(changed))
				}
				return err
			}},
		} {
			counter.n.Store(0)
			if err := step.call(); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			n := counter.n.Load()
			t.Logf("%s: %d trips", step.name, n)
			if round > 0 && n > step.most {
				t.Errorf("%s: %d trips, at most %d wanted", step.name, n, step.most)
			}
		}
	}
}
