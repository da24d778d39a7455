// SPDX-License-Identifier: Apache-2.0

package ratelimit

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestMemory(t *testing.T) {
	m, err := NewMemory(60, 3)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	m.now = func() time.Time { return now }
	take := func(key string) time.Duration {
		wait, err := m.Take(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return wait
	}
	for i := range 3 {
		if wait := take("a"); wait != 0 {
			t.Fatalf("request %d of the burst has to wait %v", i, wait)
		}
	}
	wait := take("a")
	if wait <= 0 || wait > time.Second {
		t.Fatalf("wait %v, want up to a second", wait)
	}
	if take("b") != 0 {
		t.Error("another caller has to wait")
	}
	now = now.Add(wait)
	if take("a") != 0 {
		t.Error("the wait was too short")
	}
	if take("a") == 0 {
		t.Error("one token was taken twice")
	}
}

func TestMemoryForgetsTheOldest(t *testing.T) {
	m, err := NewMemory(1, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxCallers + 10 {
		_, _ = m.Take(t.Context(), fmt.Sprint(i))
	}
	if n := m.callers.Len(); n != maxCallers {
		t.Errorf("%d callers are remembered", n)
	}
}

func TestMemoryConcurrently(t *testing.T) {
	m, err := NewMemory(1, 5)
	if err != nil {
		t.Fatal(err)
	}
	var allowed atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if wait, _ := m.Take(t.Context(), "a"); wait == 0 {
				allowed.Add(1)
			}
		})
	}
	all.Wait()
	if allowed.Load() != 5 {
		t.Errorf("%d requests were let through, want 5", allowed.Load())
	}
}

func TestNewMemoryRefuses(t *testing.T) {
	for _, c := range [][2]int{{0, 1}, {1, 0}, {-1, -1}} {
		if _, err := NewMemory(c[0], c[1]); err == nil {
			t.Errorf("accepted %v", c)
		}
	}
}
