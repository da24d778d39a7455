// SPDX-License-Identifier: Apache-2.0

package redislimit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/rekor-gateway/rekor-gateway/ratelimit"
	"github.com/rekor-gateway/rekor-gateway/ratelimit/limittest"
	"github.com/rekor-gateway/rekor-gateway/ratelimit/redistest"
)

// patient is for a machine that has much to do.
const patient = 10 * time.Second

func open(t *testing.T, url string, o Options) *Limiter {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	l, err := New(url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// Two gateways on one Redis count together. Time is that of Redis, and passes by itself.
func TestRedis(t *testing.T) {
	server := redistest.NewServer(t)
	limittest.Run(t, func(t *testing.T) limittest.Limiter {
		one, two := open(t, server.URL(), Options{Patience: patient}), open(t, server.URL(), Options{Patience: patient})
		if err := one.client.FlushDB(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		return limittest.Limiter{Limiters: []ratelimit.Limiter{one, two}, Pass: time.Sleep}
	})
}

// Every key goes by itself: Redis holds no more than the callers of the last minutes.
func TestKeysExpire(t *testing.T) {
	l := open(t, redistest.NewServer(t).URL(), Options{Patience: patient})
	if _, err := l.Take(t.Context(), "a", ratelimit.Limit{PerMinute: 60, Burst: 10}); err != nil {
		t.Fatal(err)
	}
	keys := l.client.Keys(t.Context(), "*").Val()
	if len(keys) != 1 || keys[0] != "rate:rekor-gateway:a" {
		t.Fatalf("keys %q", keys)
	}
	if ttl := l.client.PTTL(t.Context(), keys[0]).Val(); ttl <= 0 || ttl > 2*time.Second {
		t.Errorf("it is kept for %v", ttl)
	}
}

// A Redis that is gone, or answers nothing, fails requests in a bounded time; most of them do not wait at all. When it is
// back, it counts again.
func TestRedisDown(t *testing.T) {
	for name, fault := range map[string]struct{ begin, end func(*redistest.Server) }{
		"killed": {(*redistest.Server).Kill, (*redistest.Server).Start},
		"frozen": {(*redistest.Server).Freeze, (*redistest.Server).Thaw},
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.NewServer(t)
			var log bytes.Buffer
			l := open(t, server.URL(), Options{Patience: 100 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			limit := ratelimit.Limit{PerMinute: 600, Burst: 100}
			waitFor(t, "counting", func() bool { _, err := l.Take(t.Context(), "a", limit); return err == nil })
			fault.begin(server)
			asked := failAll(t, l, limit)
			if asked > tripAfter+1 {
				t.Errorf("%d of 50 requests waited for Redis", asked)
			}
			fault.end(server)
			waitFor(t, "counting again", func() bool { _, err := l.Take(t.Context(), "a", limit); return err == nil })
			if out := log.String(); !strings.Contains(out, "does not answer") || !strings.Contains(out, "answers again") {
				t.Errorf("the operator was told: %s", out)
			}
		})
	}
}

// failAll asks 50 times, and returns how many of them asked Redis.
func failAll(t *testing.T, l *Limiter, limit ratelimit.Limit) (asked int) {
	t.Helper()
	for range 50 {
		switch _, err := l.Take(t.Context(), "a", limit); {
		case err == nil:
			t.Fatal("a Redis that is down counted")
		case !errors.Is(err, gobreaker.ErrOpenState) && !errors.Is(err, gobreaker.ErrTooManyRequests):
			asked++
		}
	}
	return asked
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within a minute", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Callers who hang up do not make Redis look broken.
func TestCallersWhoHangUp(t *testing.T) {
	l := open(t, redistest.NewServer(t).URL(), Options{Patience: patient})
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	for i := range 2 * tripAfter {
		if _, err := l.Take(gone, fmt.Sprint(i), ratelimit.Limit{PerMinute: 1, Burst: 1}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, url := range []string{"", "localhost:6379", "http://localhost", "redis://:secret@local host/0", "redis://:secret@localhost/zero", "redis://:secret@localhost/0?nosuch=1"} {
		_, err := New(url, Options{})
		if !errors.Is(err, ErrBadURL) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", url, err)
		}
	}
}
