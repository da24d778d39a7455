// SPDX-License-Identifier: Apache-2.0

package rekorv2_test

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekortilespb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logtest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
)

// The codes that a log answers with are counted, and those that it makes up are one.
func TestAnswersAreCounted(t *testing.T) {
	fake := server{rekortest.StartFake(t)}
	var code codes.Code
	log := &talkative{answer: func(context.Context) (*rekorpb.TransparencyLogEntry, error) { return nil, status.Error(code, "no") }}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	rekortilespb.RegisterRekorServer(s, log)
	go func() { _ = s.Serve(listener) }()
	t.Cleanup(s.Stop)
	cfg := config(fake)
	cfg.Shards[0].GRPCURL = "http://" + listener.Addr().String()
	reg := prometheus.NewRegistry()
	l, err := rekorv2.New(cfg, new(rekortest.Checkpoints), slog.New(slog.DiscardHandler), reg)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e := logtest.Prepare(t, l, rekortest.NewECDSASigner(t).Record("hello"))
	for _, code = range []codes.Code{codes.ResourceExhausted, 17, 1 << 30} {
		if _, err := l.Add(t.Context(), l.Describe().Shard, e); err == nil {
			t.Error("added")
		}
	}
	wantSize(t, l, 0)
	got := gather(t, reg, cfg.ID)
	for name, want := range map[string]float64{"ResourceExhausted/write": 1, "Unknown/write": 2, "200/read": 1} {
		if n := got["rekor_gateway_log_answers_total/"+name]; n != want {
			t.Errorf("%s: %v, want %v, in %v", name, n, want, got)
		}
	}
}

// A checkpoint that is read again is as old as its growth, and was read now.
func TestCheckpointTimes(t *testing.T) {
	fake := rekortest.StartFake(t)
	reg := prometheus.NewRegistry()
	cfg, now := config(fake), time.Unix(1_800_000_000, 0)
	cfg.Now = func() time.Time { return now }
	l, err := rekorv2.New(cfg, new(rekortest.Checkpoints), slog.New(slog.DiscardHandler), reg)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const read, grown = "rekor_gateway_log_checkpoint_read_timestamp_seconds", "rekor_gateway_log_checkpoint_grown_timestamp_seconds"
	if got := gather(t, reg, cfg.ID); got[read] != 0 || got[grown] != 0 {
		t.Errorf("before the first: %v", got)
	}
	times := func(size uint64) (float64, float64) {
		wantSize(t, l, size)
		got := gather(t, reg, cfg.ID)
		return got[read], got[grown]
	}
	grow(fake, 5)
	if read, grown := times(5); read != 1_800_000_000 || grown != 1_800_000_000 {
		t.Errorf("read at %v, grown at %v", read, grown)
	}
	now = now.Add(time.Minute)
	if read, grown := times(5); read != 1_800_000_060 || grown != 1_800_000_000 {
		t.Errorf("a minute later: read at %v, grown at %v", read, grown)
	}
	grow(fake, 1)
	if read, grown := times(6); read != 1_800_000_060 || grown != 1_800_000_060 {
		t.Errorf("once it has grown: read at %v, grown at %v", read, grown)
	}
}
