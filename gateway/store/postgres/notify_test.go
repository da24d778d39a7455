// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
)

// TestSignalsFit: whatever is told fits into notifications, is read back as it was, and nothing is told that nobody said.
func TestSignalsFit(t *testing.T) {
	for _, n := range []int{0, 1, idsPerPayload, idsPerPayload + 1, 5000} {
		var ids []string
		for range n {
			ids = append(ids, uuid.NewString())
		}
		var heard gateway.Signal
		payloads := encodeSignal("me", []string{"a b", `"`, "\n"}, ids, false)
		for _, p := range payloads {
			if len(p) > maxPayload {
				t.Errorf("%d IDs: %d bytes", n, len(p))
			}
			if _, ok := decodeSignal("me", p); ok {
				t.Error("heard what it said itself")
			}
			s, ok := decodeSignal("you", p)
			if !ok || s.Missed {
				t.Errorf("%v of %s", s, p)
			}
			heard.Logs, heard.Changed = append(heard.Logs, s.Logs...), append(heard.Changed, s.Changed...)
		}
		if !slices.Equal(heard.Changed, ids) || !slices.Equal(heard.Logs, []string{"a b", `"`, "\n"}) || len(payloads) > 1+n/idsPerPayload {
			t.Errorf("%d IDs: %v in %d payloads", n, heard.Logs, len(payloads))
		}
	}
	for name, payloads := range map[string][]string{
		"no UUID": encodeSignal("me", nil, []string{"x"}, false), "long names": encodeSignal("me", []string{fmt.Sprintf("%9000d", 1)}, nil, false),
		"later release": {"2 me - . []"}, "half an ID": {"1 me - .abc []"}, "bad ID": {"1 me - ." + "!!!!!!!!!!!!!!!!!!!!!! []"}, "nothing": {""},
	} {
		if s, ok := decodeSignal("you", payloads[0]); !ok || !s.Missed || len(payloads) != 1 || len(payloads[0]) > maxPayload {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// heard is what one store has heard.
type heard struct {
	mu      sync.Mutex
	calls   int
	missed  int
	changed map[string]bool
	logs    map[string]bool
	news    chan struct{}
}

func (h *heard) hear(s gateway.Signal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls++
	if s.Missed {
		h.missed++
	}
	for _, id := range s.Changed {
		h.changed[id] = true
	}
	for _, id := range s.Logs {
		h.logs[id] = true
	}
	select {
	case h.news <- struct{}{}:
	default:
	}
}

// await waits until what was heard is as it should be.
func (h *heard) await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		h.mu.Lock()
		done := ok()
		h.mu.Unlock()
		if done {
			return
		}
		select {
		case <-h.news:
		case <-deadline:
			t.Fatalf("%s: %d calls, %d missed, %d changed", what, h.calls, h.missed, len(h.changed))
		}
	}
}

func listen(t *testing.T, s *Store) *heard {
	t.Helper()
	h := &heard{changed: map[string]bool{}, logs: map[string]bool{}, news: make(chan struct{}, 1)}
	ctx, stop := context.WithCancel(t.Context())
	var listening sync.WaitGroup
	listening.Go(func() { s.Hear(ctx, h.hear) })
	t.Cleanup(func() { stop(); listening.Wait() })
	h.await(t, "listening", func() bool { return h.missed == 1 })
	return h
}

// TestSignals: what one says the other hears, many at once, and not what it said itself.
func TestSignals(t *testing.T) {
	dsn := postgrestest.Shared(t).NewDatabase(t, "")
	a, b := open(t, dsn, Options{}), open(t, dsn, Options{})
	ofA, ofB := listen(t, a), listen(t, b)
	const many = 3000
	began := time.Now()
	for i := range many {
		a.Tell(gateway.Signal{Changed: []string{uuid.NewString()}, Logs: []string{fmt.Sprint(i % 2)}})
	}
	ofB.await(t, "told", func() bool { return len(ofB.changed) == many && len(ofB.logs) == 2 })
	if most := many/idsPerPayload + int(2*time.Since(began)/tellPause) + 4; ofB.calls > most || ofB.missed != 1 {
		t.Errorf("%d notifications for %d, %d missed", ofB.calls, many, ofB.missed)
	}
	if ofA.calls != 1 {
		t.Errorf("it heard itself: %d", ofA.calls)
	}
	ids := make([]string, maxTold+1)
	for i := range ids {
		ids[i] = uuid.NewString()
	}
	b.Tell(gateway.Signal{Changed: ids})
	ofA.await(t, "too much", func() bool { return ofA.missed == 2 })
	if len(ofA.changed) != 0 {
		t.Errorf("%d of too many were told", len(ofA.changed))
	}
}

// TestSignalsComeBack: a connection that is lost is made again, and then all may have been missed. What was told when a store
// closes is told.
func TestSignalsComeBack(t *testing.T) {
	server := postgrestest.Shared(t)
	dsn := server.NewDatabase(t, "")
	a := open(t, dsn, Options{})
	h := listen(t, a)
	if err := server.Exec(t.Context(), "postgres", `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '`+postgrestest.DatabaseOf(dsn)+`' AND query ILIKE 'listen%'`); err != nil {
		t.Fatal(err)
	}
	h.await(t, "listening again", func() bool { return h.missed == 2 })
	b, err := Open(t.Context(), dsn, Options{})
	if err != nil {
		t.Fatal(err)
	}
	id := uuid.NewString()
	b.Tell(gateway.Signal{Changed: []string{id}})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	h.await(t, "told at the end", func() bool { return h.changed[id] })
}
