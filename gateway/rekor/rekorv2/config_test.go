// SPDX-License-Identifier: Apache-2.0

package rekorv2_test

import (
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logtest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
)

func TestNewRefuses(t *testing.T) {
	fake, other := rekortest.StartFake(t), rekortest.StartFake(t)
	tests := map[string]func(*rekorv2.Config){
		"no id":                    func(c *rekorv2.Config) { c.ID = "" },
		"no origin":                func(c *rekorv2.Config) { c.Shards[0].Origin = "" },
		"no verifier":              func(c *rekorv2.Config) { c.Shards[0].Verifier = nil },
		"verifier's origin":        func(c *rekorv2.Config) { c.Shards[0].Origin = "other.test" },
		"no key id":                func(c *rekorv2.Config) { c.Shards[0].KeyID = nil },
		"short key id":             func(c *rekorv2.Config) { c.Shards[0].KeyID = c.Shards[0].KeyID[:4] },
		"another log's key id":     func(c *rekorv2.Config) { c.Shards[0].KeyID = other.KeyID() },
		"no scheme":                func(c *rekorv2.Config) { c.Shards[0].GRPCURL = "localhost:3001" },
		"unknown scheme":           func(c *rekorv2.Config) { c.Shards[0].ReadURL = "file:///tmp" },
		"path in gRPC URL":         func(c *rekorv2.Config) { c.Shards[0].GRPCURL += "/api" },
		"query in URL":             func(c *rekorv2.Config) { c.Shards[0].ReadURL += "/?a=b" },
		"user in URL":              func(c *rekorv2.Config) { c.Shards[0].ReadURL = "https://user:secret@log.test" },
		"no host":                  func(c *rekorv2.Config) { c.Shards[0].ReadURL = "https://" },
		"negative timeout":         func(c *rekorv2.Config) { c.RequestTimeout = -1 },
		"too many connections":     func(c *rekorv2.Config) { c.Connections = 101 },
		"control character":        func(c *rekorv2.Config) { c.Shards[0].ReadURL = "https://log.test/\x00" },
		"negative read timeout":    func(c *rekorv2.Config) { c.ReadTimeout = -1 },
		"negative connections":     func(c *rekorv2.Config) { c.Connections = -1 },
		"fragment in the gRPC URL": func(c *rekorv2.Config) { c.Shards[0].GRPCURL += "#x" },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := config(fake)
			change(&cfg)
			l, err := rekorv2.New(cfg, new(rekortest.Checkpoints), slog.New(slog.DiscardHandler), prometheus.NewRegistry())
			if err == nil || l != nil {
				t.Errorf("got %v, %v", l, err)
			}
		})
	}
}

// TestMetrics counts calls by outcome, and leaves the registry as it was.
func TestMetrics(t *testing.T) {
	fake := rekortest.StartFake(t)
	grow(fake, 5)
	shard := gateway.Shard{Origin: rekortest.Origin, KeyID: [32]byte(fake.KeyID())}
	reg := prometheus.NewRegistry()
	first, second := config(fake), config(fake)
	second.ID = "second"
	for _, cfg := range []rekorv2.Config{first, second, first} { // the third after the first is closed
		l, err := rekorv2.New(cfg, new(rekortest.Checkpoints), slog.New(slog.DiscardHandler), reg)
		if err != nil {
			t.Fatal(err)
		}
		wantSize(t, l, 5)
		fake.Inject(rekortest.PushedBack())
		e := logtest.Prepare(t, l, rekortest.NewECDSASigner(t).Record("too early"))
		if _, err := l.Add(t.Context(), l.Describe().Shard, e); err == nil {
			t.Error("added")
		}
		if got := l.Describe(); got != (gateway.LogInfo{ID: cfg.ID, Shard: shard, APIVersion: 2}) {
			t.Errorf("described as %+v", got)
		}
		got := gather(t, reg, cfg.ID)
		for name, want := range map[string]float64{
			"rekor_gateway_log_calls_total/size/ok":        1,
			"rekor_gateway_log_calls_total/add/overloaded": 1,
			"rekor_gateway_log_call_seconds/add":           1,
			"rekor_gateway_log_checkpoint_size":            5,
			"rekor_gateway_log_forked":                     0,
		} {
			if got[name] != want {
				t.Errorf("%s is %v, want %v", name, got[name], want)
			}
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if got := gather(t, reg, cfg.ID); len(got) != 0 {
			t.Errorf("left after closing: %v", got)
		}
	}
}

// gather returns the metrics of one log: values, or counts of histograms, by name and labels.
func gather(t *testing.T, reg *prometheus.Registry, id string) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name, log := family.GetName(), ""
			for _, label := range m.GetLabel() {
				if label.GetName() == "log" {
					log = label.GetValue()
				} else {
					name += "/" + label.GetValue()
				}
			}
			if log == id {
				values[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return values
}
