// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
)

// TestNamedTwice: a log that a signing config names more than once is one shard, where it is written to without a break, at one address.
func TestNamedTwice(t *testing.T) {
	keys := rootOf(keyOf("a.example", lastYear, time.Time{}), keyOf("b.example", lastYear, time.Time{}))
	open := time.Time{}
	service := func(start, end time.Time) root.Service { return serviceOf("a.example", "a", 2, start, end) }
	plain := service(lastYear, open)
	plain.URL = "http://a.example"
	const whole = "a.example 2025-06-01…- write=https://a.example read=https://a.example/api/v2 closed=false"
	const ends = "a.example 2025-06-01…2026-06-02 write=https://a.example read=https://a.example/api/v2 closed=false"
	for name, c := range map[string]struct {
		services []root.Service
		want     string
		err      string
	}{
		"the same again":         {[]root.Service{service(lastYear, open), service(lastYear, open)}, whole, ""},
		"one after the other":    {[]root.Service{service(lastYear, now), service(now, open)}, whole, ""},
		"the other way round":    {[]root.Service{service(now, open), service(lastYear, now)}, whole, ""},
		"one in the other":       {[]root.Service{service(lastYear, midnight), service(now, now.Add(time.Hour))}, ends, ""},
		"ends later":             {[]root.Service{service(lastYear, now.Add(time.Hour)), service(lastYear, midnight)}, ends, ""},
		"before there was a key": {[]root.Service{service(lastYear.AddDate(-2, 0, 0), lastYear.AddDate(-1, 0, 0)), service(lastYear, open)}, whole, ""},
		"with a break":           {[]root.Service{service(lastYear, now.Add(-time.Hour)), service(now, open)}, "", "a time between in which it is not written to"},
		"with a break to come":   {[]root.Service{service(midnight, open), service(lastYear, now)}, "", "a time between in which it is not written to"},
		"at two addresses":       {[]root.Service{service(lastYear, open), plain}, "", "at two addresses, https://a.example and http://a.example"},
	} {
		config := configOf(anyOf, 0, append(c.services, serviceOf("b.example", "b", 2, lastYear, open))...)
		got, err := read(t, Snapshot{TrustedRoot: keys, SigningConfig: config}).ListShards(Log{Operator: "a"}, now)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, %v", name, describe(got), err)
			}
			continue
		}
		if err != nil || !slices.Equal(describe(got), []string{c.want}) {
			t.Errorf("%s: %v, %v", name, describe(got), err)
		}
	}
}

// TestShorten: what expires soon is asked for in time, and never all the while.
func TestShorten(t *testing.T) {
	for left, want := range map[time.Duration]time.Duration{
		240 * time.Hour: time.Hour, 3 * time.Hour: time.Hour, time.Hour: 30 * time.Minute, 10 * time.Minute: 5 * time.Minute, time.Minute: time.Minute, -time.Hour: time.Minute,
	} {
		if got := shorten(time.Hour, left); got != want {
			t.Errorf("%v before it expires: %v, want %v", left, got, want)
		}
	}
	if got := shorten(time.Second, time.Hour); got != time.Second {
		t.Errorf("it is longer than asked for: %v", got)
	}
}

// TestSharedCache: gateways that share a cache write in it one after the other. One that has to wait for too long goes on without it, and says so.
func TestSharedCache(t *testing.T) {
	b := startBench(t)
	b.Publish(targetsOf("one.example"))
	b.refresh(t, b.open(t), "one.example")
	unlock, err := newCache(b.cfg).lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.Publish(targetsOf("two.example"))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	s := b.open(t)
	if got, err := s.Refresh(ctx); err == nil {
		t.Errorf("refreshed to %q in no time", origin(got))
	}
	b.load(t, "one.example")
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			if got, err := b.open(t).Refresh(t.Context()); err != nil || origin(got) != "two.example" {
				t.Errorf("refreshed to %q, %v", origin(got), err)
			}
		})
	}
	time.Sleep(200 * time.Millisecond)
	b.load(t, "one.example") // nobody has written
	unlock()
	all.Wait()
	b.load(t, "two.example")
	if strings.Contains(b.log.String(), "could not be kept") {
		t.Errorf("they were in each other's way:\n%s", b.log)
	}
}
