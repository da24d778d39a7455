// SPDX-License-Identifier: Apache-2.0

//go:build unix

package server_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// severalLogs are real logs, and a gateway over them.
type severalLogs struct {
	cfg  *config.Config
	logs []*rekortest.Server
}

// startLogs starts n real logs, called a, b and so on.
func startLogs(t *testing.T, n int) *severalLogs {
	t.Helper()
	s := &severalLogs{}
	var keys []trustroot.LogKey
	for i := range n {
		l := rekortest.StartServer(t, rekortest.Named(string(rune('a'+i))+".test"))
		s.logs = append(s.logs, l)
		keys = append(keys, trusted(l, anHourAgo, time.Time{}))
	}
	s.cfg = rotatingConfig(t, s.logs[0])
	s.cfg.Logs = nil
	for i, l := range s.logs {
		s.cfg.Logs = append(s.cfg.Logs, logOf(string(rune('a'+i)), l))
	}
	writeRoot(t, s.cfg, keys...)
	return s
}

// receiptOf returns the receipt of a submission, which verifies offline, and checks how many logs are in it.
func (r *running) receiptOf(cfg *config.Config, id, text string, logs int) []byte {
	r.t.Helper()
	resp := must(http.Get(r.Addresses().HTTP + "/v1/submissions/" + id + "/receipt"))
	defer resp.Body.Close()
	raw := must(io.ReadAll(resp.Body))
	if resp.StatusCode != 200 {
		r.t.Fatalf("receipt of %s: %d %s", id, resp.StatusCode, raw)
	}
	verifyOffline(r.t, cfg, raw, text, logs)
	return raw
}

func verifyOffline(t *testing.T, cfg *config.Config, raw []byte, text string, logs int) {
	t.Helper()
	parsed, err := receipt.Unmarshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(parsed.GetEntries()); got != logs {
		t.Fatalf("receipt with %d entries, want %d", got, logs)
	}
	_, err = receipt.Verify(t.Context(), parsed, receipt.Options{
		Registry: all.Formats(), TrustedRoot: must(trustroot.Load(cfg.TrustedRoot)), Artifact: strings.NewReader(text), AnySigner: true, Now: time.Now(),
	})
	if err != nil {
		t.Fatalf("receipt does not verify: %v", err)
	}
}

// logsOf returns which logs have logged a submission.
func (r *running) logsOf(id string) string {
	r.t.Helper()
	var logs []string
	for _, e := range r.get(id).body["entries"].([]any) {
		if e := e.(map[string]any); e["state"] == "LOGGED" {
			logs = append(logs, fmt.Sprint(e["log"]))
		}
	}
	return strings.Join(logs, " ")
}

// wantReady fails unless /readyz and gRPC health come to agree on that, and /readyz names these troubles.
func (r *running) wantReady(ready bool, troubles map[string]string) {
	r.t.Helper()
	_, address, _ := strings.Cut(r.Addresses().GRPC, "://")
	conn := must(grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials())))
	defer conn.Close()
	status, state := 503, healthpb.HealthCheckResponse_NOT_SERVING
	if ready {
		status, state = 200, healthpb.HealthCheckResponse_SERVING
	}
	await(r.t, fmt.Sprintf("ready %v, troubles %v", ready, troubles), func() bool {
		resp := must(http.Get(r.Addresses().Admin + "/readyz"))
		resp.Body.Close()
		health, err := healthpb.NewHealthClient(conn).Check(r.t.Context(), &healthpb.HealthCheckRequest{})
		return err == nil && resp.StatusCode == status && health.GetStatus() == state && fmt.Sprint(r.troubles()) == fmt.Sprint(troubles)
	})
}

// TestOneOfSeveralLogs: of three logs two are needed. One that is down, that stalls, or that has forked holds up nobody; what
// it logs later is in a later receipt, and the first one stays valid. With two forked there is nothing to wait for.
func TestOneOfSeveralLogs(t *testing.T) {
	t.Parallel()
	s := startLogs(t, 3)
	s.cfg.Policy.Logs = config.LogSet{Need: 2}
	r := run(t, s.cfg)
	id := r.post(key, "all are there")
	await(t, "in all", func() bool { return r.logsOf(id) == "a b c" })
	r.wantReady(true, map[string]string{})

	s.logs[0].Kill()
	id = r.post(key, "one is down")
	r.awaitLogged([]string{id})
	first := r.receiptOf(s.cfg, id, "one is down", 2)
	r.wantReady(true, map[string]string{"a": gateway.ProblemUnavailable})
	s.logs[0].Restart()
	await(t, "in all", func() bool { return r.logsOf(id) == "a b c" })
	later := r.receiptOf(s.cfg, id, "one is down", 3)
	if bytes.Equal(first, later) {
		t.Error("the later receipt is the first one")
	}
	verifyOffline(t, s.cfg, first, "one is down", 2)

	release := s.logs[1].HoldSequencing()
	stalled := r.postAll("one stalls", 20)
	leaves := r.awaitLogged(stalled)
	for _, id := range stalled {
		if got := r.logsOf(id); got != "a c" {
			t.Errorf("while b stalls it is in %s", got)
		}
	}
	release()
	for _, id := range stalled {
		await(t, "in all", func() bool { return r.logsOf(id) == "a b c" })
	}
	for _, l := range s.logs {
		wantOnce(t, leaves[:1], l)
	}

	s.fork(t, 2)
	id = r.post(key, "one is forked")
	r.awaitLogged([]string{id})
	r.receiptOf(s.cfg, id, "one is forked", 2)
	r.wantReady(true, map[string]string{"c": gateway.ProblemFork})
	s.fork(t, 1)
	r.post(key, "two are forked") // taken, and durable; it waits
	r.wantReady(false, map[string]string{"b": gateway.ProblemFork, "c": gateway.ProblemFork})
	r.end()
}

// fork has the store keep evidence that a log has forked, as another process on it would.
func (s *severalLogs) fork(t *testing.T, at int) {
	t.Helper()
	store, err := sqlite.OpenBeside(t.Context(), s.cfg.Store.SQLite.Path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, l := range must(trustroot.Load(s.cfg.TrustedRoot)).Logs() {
		if l.Origin != s.logs[at].Origin() {
			continue
		}
		shard := gateway.Shard{Origin: l.Origin, KeyID: [32]byte(l.ID)}
		kept := must(store.Checkpoint(t.Context(), shard))
		other := *kept
		other.Root[0] ^= 1
		if err := store.KeepFork(t.Context(), gateway.Fork{Shard: shard, Small: other, Large: *kept, PrefixRoot: kept.Root}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFailoverBetweenLogs: with one log down everything is in the other, once; the same again is the same. When the first
// is back it is preferred again.
func TestFailoverBetweenLogs(t *testing.T) {
	t.Parallel()
	s := startLogs(t, 2)
	s.cfg.Policy.Logs = config.LogSet{Need: 1, Mode: config.ModeFailover, FailoverAfter: time.Second}
	r := run(t, s.cfg)
	id := r.post(key, "preferred")
	r.awaitLogged([]string{id})
	if got := r.logsOf(id); got != "a" {
		t.Errorf("with both there it is in %s", got)
	}
	s.logs[0].Kill()
	ids := r.postAll("first is down", 50)
	leaves := r.awaitLogged(ids)
	r.wantReady(true, map[string]string{"a": gateway.ProblemUnavailable})
	for i, id := range ids {
		if got := r.logsOf(id); got != "b" {
			t.Errorf("with the first one down it is in %s", got)
		}
		r.receiptOf(s.cfg, id, fmt.Sprint("first is down ", i), 1)
	}
	s.logs[0].Restart()
	r.wantReady(true, map[string]string{})
	wantOnce(t, leaves, s.logs...)
	id = r.post(key, "preferred again")
	r.awaitLogged([]string{id})
	if got := r.logsOf(id); got != "a" {
		t.Errorf("with both there again it is in %s", got)
	}
	r.end()
}

// TestPendingOfARemovedLog: a log that is added takes what comes from then on. What waits for one that is removed is seen, and
// moved or given up beside the gateway, which goes on.
func TestPendingOfARemovedLog(t *testing.T) {
	t.Parallel()
	s := startLogs(t, 2)
	both := s.cfg.Logs
	alone := *s.cfg
	alone.Logs = both[:1]
	r := run(t, &alone)
	r.awaitLogged(r.postAll("one log", 2))
	s.logs[1].Kill()
	r.reload(s.cfg)
	partial := r.postAll("both are needed", 3)
	for _, id := range partial {
		await(t, "in the first", func() bool { return r.get(id).body["state"] == "PARTIAL" })
	}
	r.reload(&alone)
	r.awaitLogged(r.postAll("without the second", 3))
	r.wantReady(true, map[string]string{"b": string(gateway.TroubleNotConfigured)})

	beside := must(sqlite.OpenBeside(t.Context(), s.cfg.Store.SQLite.Path, sqlite.Options{}))
	defer beside.Close()
	retired, err := beside.Retire(t.Context(), gateway.RetireParams{Log: "b", Limit: 9})
	if err != nil || retired.GivenUp != 3 {
		t.Fatalf("%+v, %v", retired, err)
	}
	for _, id := range partial {
		await(t, "given up", func() bool { return r.get(id).body["state"] == "FAILED" })
	}
	r.wantReady(true, map[string]string{})
	r.awaitLogged(r.postAll("after it was retired", 3))
	r.end()
}
