// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// poisonedLog is a log that does something else with one entry.
type poisonedLog struct {
	*gatewaytest.Log
	leaf gateway.LeafHash
	add  func() (*gateway.Inclusion, error)

	mu   sync.Mutex
	sent []time.Time // the poison entry
}

func (l *poisonedLog) Add(ctx context.Context, shard gateway.Shard, p gateway.Prepared) (*gateway.Inclusion, error) {
	if p.LeafHash != l.leaf {
		return l.Log.Add(ctx, shard, p)
	}
	l.mu.Lock()
	l.sent = append(l.sent, time.Now())
	l.mu.Unlock()
	return l.add()
}

// poisons are what may be wrong with one entry of many.
var poisons = map[string]struct {
	add     func() (*gateway.Inclusion, error)
	store   string // what is done to the store, once it is stored
	problem string
}{
	"always in doubt":  {add: func() (*gateway.Inclusion, error) { return nil, errors.New("no answer") }, problem: gateway.ProblemUnknown},
	"answered wrongly": {add: func() (*gateway.Inclusion, error) { return nil, gateway.ErrBadAnswer }, problem: gateway.ProblemBadAnswer},
	"panics":           {add: func() (*gateway.Inclusion, error) { panic("adapter") }, problem: gateway.ProblemUnknown},
	"no inclusion":     {add: func() (*gateway.Inclusion, error) { return nil, nil }, problem: gateway.ProblemBadAnswer},
	"no proof":         {add: func() (*gateway.Inclusion, error) { return &gateway.Inclusion{Kind: "test"}, nil }, problem: gateway.ProblemBadAnswer},
	"index out of range": {add: func() (*gateway.Inclusion, error) {
		return &gateway.Inclusion{Kind: "t", Proof: []byte("p"), Index: 1 << 63}, nil
	}, problem: gateway.ProblemBadAnswer},
	"always overloaded":   {add: func() (*gateway.Inclusion, error) { return nil, &gateway.OverloadError{} }, problem: gateway.ProblemOverloaded},
	"never sent":          {add: func() (*gateway.Inclusion, error) { return nil, gateway.ErrNotSent }, problem: gateway.ProblemUnavailable},
	"body cannot be read": {store: `DELETE FROM entry_blob WHERE entry = ?`, problem: gateway.ProblemUnreadable},
}

// TestPoison: an entry that cannot be logged is alone with that. All others are sent once and logged, and it is tried again at
// growing intervals, for everybody to see.
func TestPoison(t *testing.T) {
	for name, p := range poisons {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const healthy = 1000
			path := filepath.Join(t.TempDir(), "store.db")
			store, err := sqlite.Open(t.Context(), path, sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = store.Close() })
			poison, all := storeSubmissions(t, store, healthy)
			if p.store != "" {
				changeStore(t, path, p.store, poison.Entries[0].ID)
			}
			log := &poisonedLog{Log: gatewaytest.NewLog(), leaf: poison.Entries[0].LeafHash, add: p.add}
			outcomes := runDelivery(t, store, log)
			waitUntil(t, 60*time.Second, func() bool {
				stats, err := store.Stats(t.Context())
				return err == nil && stats.Pending["fake"] == 1
			})
			for _, sub := range all {
				got, err := store.Get(t.Context(), sub.Tenant, sub.ID)
				if err != nil || got.State != gateway.Logged || got.Entries[0].Attempts != 1 {
					t.Fatalf("a healthy one is %s after %d attempts: %v", got.State, got.Entries[0].Attempts, err)
				}
			}
			var got gateway.Entry
			waitUntil(t, 60*time.Second, func() bool {
				sub, err := store.Get(t.Context(), poison.Tenant, poison.ID)
				got = sub.Entries[0]
				return err == nil && got.Attempts >= 3 && got.Problem != ""
			})
			if got.Problem != p.problem || got.State != gateway.Pending {
				t.Errorf("the poison entry is %s, its problem %s, want %s", got.State, got.Problem, p.problem)
			}
			if n := outcomes.count(p.problem); n < 2 {
				t.Errorf("%s is counted %d times", p.problem, n)
			}
			log.wantBackOff(t, p.store == "")
		})
	}
}

// storeSubmissions stores n submissions, and one among them, which is returned apart.
func storeSubmissions(t *testing.T, store gateway.Store, n int) (poison gateway.Submission, others []gateway.Submission) {
	t.Helper()
	subs := make([]gateway.NewSubmission, n+1)
	for i := range subs {
		subs[i] = storetest.NewSubmission(fmt.Sprint("tenant ", i%7), fmt.Sprint(i), "fake")
	}
	stored, err := store.Enqueue(t.Context(), subs)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range stored {
		if s.Err != nil {
			t.Fatal(s.Err)
		}
		if i == n/3 {
			poison = s.Submission
			continue
		}
		others = append(others, s.Submission)
	}
	return poison, others
}

// changeStore does something to the store's file behind its back.
func changeStore(t *testing.T, path, query string, args ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

// attempted counts attempts by outcome.
type attempted struct {
	mu     sync.Mutex
	counts map[string]int
}

func (a *attempted) add(_, outcome string, _ time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.counts[outcome]++
}

func (a *attempted) count(outcome string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.counts[outcome]
}

// runDelivery sends what is stored, as a server does, until the test ends.
func runDelivery(t *testing.T, store gateway.Store, log gateway.Log) *attempted {
	t.Helper()
	outcomes := &attempted{counts: map[string]int{}}
	d := delivery.New(delivery.Config{
		Logs: []gateway.Log{guardedLog{log, nil}}, Store: store, Changed: func([]gateway.Progress) {}, Probe: gatewaytest.NewProbe,
		Timing: gatewaytest.Quick, Metrics: delivery.Metrics{Attempted: outcomes.add}, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { d.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return outcomes
}

// wantBackOff fails the test unless the tries lay apart, at least as far as the shortest waits between them.
func (l *poisonedLog) wantBackOff(t *testing.T, sends bool) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !sends && len(l.sent) > 0 {
		t.Errorf("sent %d times", len(l.sent))
	}
	for i := 1; i < len(l.sent); i++ {
		// The first wait is half a second, each is half as long again as the one before, give or take half.
		least := 250 * time.Millisecond
		for range i - 1 {
			least += least / 2
		}
		if apart := l.sent[i].Sub(l.sent[i-1]); apart < least-50*time.Millisecond {
			t.Errorf("try %d came %v after the one before, want %v at least", i+1, apart, least)
		}
	}
}

func waitUntil(t *testing.T, patience time.Duration, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
	}
}
