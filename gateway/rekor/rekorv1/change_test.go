// SPDX-License-Identifier: Apache-2.0

package rekorv1_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logtest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// TestChange: a log becomes another tree, at another URL, with the one before as a former tree, and back. What a change opens is not in use before it
// is applied.
func TestChange(t *testing.T) {
	before, now := startFake(t), startFake(t)
	now.formers = []*fake{before}
	registry := prometheus.NewRegistry()
	l, err := rekorv1.New(configOf(before), new(rekortest.Checkpoints), slog.New(slog.DiscardHandler), registry)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	first := l.Describe().Shard
	p := logtest.Prepare(t, l, rekortest.NewECDSASigner(t).Record("before"))
	if _, err := l.Add(t.Context(), first, p); err != nil {
		t.Fatal(err)
	}
	next := configOf(now)
	next.Trees = append(next.Trees, rekorv1.Tree{Log: before.trusted(), Closed: true})
	change, err := l.PrepareChange(next)
	if err != nil {
		t.Fatal(err)
	}
	if size, err := change.Size(t.Context()); err != nil || size != 0 || change.Shard().Origin != now.origin() || l.Describe().Shard != first {
		t.Errorf("before it is applied: size %d, %v, %+v", size, err, change.Shard())
	}
	change.Apply()
	if got := l.Describe().Shard; got.Origin != now.origin() {
		t.Errorf("now %+v", got)
	}
	if former := l.Former(); len(former) != 1 || former[0] != (gateway.FormerShard{Shard: first, Closed: true}) {
		t.Errorf("former %+v", former)
	}
	if _, err := l.Add(t.Context(), first, p); logtest.OutcomeOf(err) != "not sent" {
		t.Errorf("to the former tree: %v", err)
	}
	if size, err := l.Size(t.Context(), first); err != nil || size != 1 {
		t.Errorf("the former tree has size %d, %v", size, err)
	}
	back, err := l.PrepareChange(configOf(before))
	if err != nil {
		t.Fatal(err)
	}
	if err := back.Discard(); err != nil || l.Describe().Origin != now.origin() {
		t.Errorf("after a change that was discarded: %+v, %v", l.Describe().Shard, err)
	}
	if families, err := registry.Gather(); err != nil || len(families) < 5 {
		t.Errorf("%d metrics, %v", len(families), err)
	}
}

// TestTreeChanged: once the log writes to another tree than the one that is configured, nothing is claimed for it; and that tree can be read once it
// is named as a former one.
func TestTreeChanged(t *testing.T) {
	before, now := startFake(t), startFake(t)
	now.formers = []*fake{before}
	cfg := configOf(before)
	cfg.URL = now.server.URL // where both are
	l, err := rekorv1.New(cfg, new(rekortest.Checkpoints), slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	first := l.Describe().Shard
	if _, err := l.Size(t.Context(), first); !errors.Is(err, gateway.ErrUnavailable) || !strings.Contains(err.Error(), "set the new origin") {
		t.Errorf("the size of a tree that is not written to any more: %v", err)
	}
	cfg.Trees = append(configOf(now).Trees, cfg.Trees...)
	change, err := l.PrepareChange(cfg)
	if err != nil {
		t.Fatal(err)
	}
	change.Apply()
	for _, shard := range []gateway.Shard{first, l.Describe().Shard} {
		if _, err := l.Size(t.Context(), shard); err != nil {
			t.Errorf("%s: %v", shard.Origin, err)
		}
	}
}

func configOf(f *fake) rekorv1.Config {
	return rekorv1.Config{ID: "v1", URL: f.server.URL, Trees: []rekorv1.Tree{{Log: f.trusted()}}}
}

// TestConfigRefuses: a log that could not work is none.
func TestConfigRefuses(t *testing.T) {
	f := startFake(t)
	root, err := trustroot.New(trustroot.LogKey{Origin: host, SPKI: f.spki(), Start: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*rekorv1.Config){
		"no id":           func(c *rekorv1.Config) { c.ID = "" },
		"no URL":          func(c *rekorv1.Config) { c.URL = "" },
		"a URL with user": func(c *rekorv1.Config) { c.URL = "https://a:b@fake.test" },
		"no tree":         func(c *rekorv1.Config) { c.Trees = nil },
		"a tree twice":    func(c *rekorv1.Config) { c.Trees = append(c.Trees, c.Trees[0]) },
		"Rekor v2":        func(c *rekorv1.Config) { c.Trees[0].Log = root.Logs()[0] },
		"timeout":         func(c *rekorv1.Config) { c.ReadTimeout = -1 },
	} {
		cfg := configOf(f)
		change(&cfg)
		if l, err := rekorv1.New(cfg, new(rekortest.Checkpoints), slog.New(slog.DiscardHandler), prometheus.NewRegistry()); err == nil || l != nil {
			t.Errorf("%s: accepted", name)
		}
	}
	l, err := rekorv1.New(configOf(f), new(rekortest.Checkpoints), slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	other := configOf(f)
	other.ID = "other"
	if _, err := l.PrepareChange(other); err == nil {
		t.Error("a log became another")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if !l.Describe().Retired {
		t.Error("a log that is closed is written to")
	}
}

// TestRetired: nothing is sent by a key whose time is over, or has not come, or once what vouches for it has expired.
func TestRetired(t *testing.T) {
	f := startFake(t)
	for name, at := range map[string]time.Time{"over": time.Unix(2000, 0), "not come": time.Unix(500, 0), "not vouched for": time.Unix(1800, 0)} {
		cfg := configOf(f)
		cfg.Trees[0].Log.Start, cfg.Trees[0].Log.End = time.Unix(1000, 0), time.Unix(2000, 0)
		cfg.TrustedUntil = time.Unix(1800, 0)
		cfg.Now = func() time.Time { return at }
		l, err := rekorv1.New(cfg, new(rekortest.Checkpoints), slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		p := logtest.Prepare(t, l, rekortest.NewECDSASigner(t).Record("late"))
		if _, err := l.Add(t.Context(), l.Describe().Shard, p); logtest.OutcomeOf(err) != "not sent" || !l.Describe().Retired || f.Requests() != 0 {
			t.Errorf("%s: %v", name, err)
		}
		l.Close()
	}
}
