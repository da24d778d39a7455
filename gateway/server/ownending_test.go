// SPDX-License-Identifier: Apache-2.0

//go:build unix

package server_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// nextOwnLog is cfg with another own log, which takes over from the one that cfg has: what docs/operations.md says to change.
func nextOwnLog(cfg *config.Config, origin string) *config.Config {
	next, dir := *cfg, filepath.Dir(cfg.Store.SQLite.Path)
	next.OwnLog.Closed = append([]string{cfg.OwnLog.Origin}, cfg.OwnLog.Closed...)
	next.OwnLog.Origin = origin
	next.OwnLog.Key, next.OwnLog.AnchorKey = filepath.Join(dir, filepath.Base(origin)+".key"), filepath.Join(dir, filepath.Base(origin)+"-anchor.key")
	return &next
}

// stateOf returns what the metrics say that an own log does.
func (r *running) stateOf(cfg *config.Config) string {
	r.t.Helper()
	return r.ownStates()[cfg.OwnLog.ID()]
}

// ownStates returns what metrics say of all logs of the gateway's own, by their IDs.
func (r *running) ownStates() map[string]string {
	r.t.Helper()
	states := map[string]string{}
	for _, family := range must(r.registry.Gather()) {
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if family.GetName() == "rekor_gateway_own_log_state" && m.GetGauge().GetValue() == 1 {
				states[labels["log"]] = labels["state"]
			}
		}
	}
	return states
}

// wantTimesIn checks that each leaf is in the served tree of that configuration's own log so often.
func (r *running) wantTimesIn(cfg *config.Config, leaves []gateway.LeafHash, times int) {
	r.t.Helper()
	served := r.ownLeaves(cfg)
	for _, leaf := range leaves {
		if served[leaf] != times {
			r.t.Errorf("leaf %x is in the own log %s %d times, want %d", leaf, cfg.OwnLog.Origin, served[leaf], times)
		}
	}
}

// TestOwnLogForgottenWayOut does what docs/operations.md says where the latest store is lost: another own log takes over. What was accepted
// is in it, once; receipts of before verify, those that the store has forgotten too; the former tree stays served; and nothing is recorded
// in the former log any more.
func TestOwnLogForgottenWayOut(t *testing.T) {
	t.Parallel()
	log := rekortest.StartServer(t)
	cfg := ownConfig(t, log)
	r := run(t, cfg)
	kept := r.awaitLogged(r.postAll("kept", 5))
	waiting := r.postAll("waiting", 3) // some may be sequenced when it stops
	r.end()
	folder, copied := filepath.Dir(cfg.Store.SQLite.Path), t.TempDir()
	copyStoreFiles(t, folder, copied)
	r = run(t, cfg)
	r.awaitLogged(waiting)
	lost := r.postAll("lost", 5)
	r.awaitLogged(lost)
	lostReceipt := r.batchedReceipt(cfg, lost[0], "lost 0")
	r.end()
	copyStoreFiles(t, copied, folder)

	rekeyed := *cfg
	rekeyed.OwnLog.AnchorKey = filepath.Join(folder, "other-anchor.key")
	r = run(t, &rekeyed) // which hides nothing
	await(t, "the trouble with another anchor key", func() bool { return r.troubles()[cfg.OwnLog.ID()] == gateway.TroubleForgotten })
	r.end()

	r = run(t, cfg)
	ids := r.postAll("after", 5)
	await(t, "the trouble", func() bool { return r.troubles()[cfg.OwnLog.ID()] == gateway.TroubleForgotten })
	if got := r.stateOf(cfg); got != "refuses" {
		t.Errorf("the state is %q", got)
	}
	r.end()

	next := nextOwnLog(cfg, "gateway.test/own-2")
	r = run(t, next)
	after := r.awaitLogged(append(append(ids, waiting...), r.postAll("new", 3)...))
	await(t, "the end", func() bool { return len(r.troubles()) == 0 && r.stateOf(cfg) == "closed" })
	r.wantTimesIn(next, after, 1)
	r.wantTimesIn(cfg, kept, 1)
	r.wantTimesIn(cfg, after[:5], 0)
	if got := len(r.ownLeaves(next)); got != len(after) {
		t.Errorf("%d leaves, want %d", got, len(after))
	}
	for i, id := range ids {
		r.batchedReceipt(next, id, fmt.Sprint("after ", i))
	}
	if err := r.Reload(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	verifyBatched(t, next, lostReceipt, "lost 0")
	r.end()

	anchors := len(server.ReadLeaves(t, log))
	r = run(t, next)
	verifyBatched(t, next, lostReceipt, "lost 0")
	r.wantTimesIn(cfg, kept, 1)
	time.Sleep(2 * time.Second) // in which an anchor would be made
	r.end()
	if now := len(server.ReadLeaves(t, log)); now != anchors {
		t.Errorf("%d entries were made for nothing", now-anchors)
	}
	if got := refuseStart(t, cfg); !strings.Contains(got, "own log is closed") || !strings.Contains(got, "set another own_log.origin") {
		t.Errorf("with the former log again: %s", got)
	}
}

// TestOwnLogRotation: another key is another log, which takes over: each record is once in the two trees, both of which are served, and the
// trust file keeps both, after restarts, a reload, and when it is lost and made again.
func TestOwnLogRotation(t *testing.T) {
	t.Parallel()
	cfg := ownConfig(t, rekortest.StartServer(t))
	r := run(t, cfg)
	first := r.postAll("first", 20)
	firstLeaves := r.awaitLogged(first)
	receipts := map[string][]byte{"first 0": r.batchedReceipt(cfg, first[0], "first 0"), "attested": r.attestText("attested")}
	held := r.postAll("held", 20)
	kind, body := form(key, "sent again")
	sent := body.Bytes()
	sendAgain := func() string {
		return r.answer(http.Post(r.Addresses().HTTP+"/v1/submissions", kind, bytes.NewReader(sent))).body["id"].(string)
	}
	id := sendAgain()
	r.end()

	second := nextOwnLog(cfg, "gateway.test/own-2")
	r = run(t, second)
	heldLeaves := r.awaitLogged(held)
	await(t, "the end", func() bool { return len(r.troubles()) == 0 && r.stateOf(cfg) == "closed" })
	receipts["held 19"] = r.batchedReceipt(second, held[19], "held 19")
	receipts["attested later"] = r.attestText("attested later")
	if again := sendAgain(); again != id {
		t.Errorf("what was recorded in the former log is another submission, %s, when it is sent again, not %s", again, id)
	}
	before, now := r.ownLeaves(cfg), r.ownLeaves(second)
	for _, leaf := range append(firstLeaves, heldLeaves...) {
		if before[leaf]+now[leaf] != 1 {
			t.Errorf("leaf %x is in the former own log %d times, and in the next %d times", leaf, before[leaf], now[leaf])
		}
	}
	r.end()

	third := nextOwnLog(second, "gateway.test/own-3")
	for _, name := range []string{"", "made again"} {
		if name != "" {
			if err := os.Remove(cfg.Attestation.GatewayTrust); err != nil {
				t.Fatal(err)
			}
		}
		r = run(t, third)
		receipts["third"+name] = r.attestText("third" + name)
		if err := r.Reload(t.Context(), third); err != nil {
			t.Fatal(err)
		}
		for text, raw := range receipts {
			if got := verdictOn(t, third, raw, text); got != "" {
				t.Errorf("%s: the receipt of %q: %s", name, text, got)
			}
		}
		again := r.batchedReceipt(third, first[0], "first 0")
		if !bytes.Equal(again, receipts["first 0"]) {
			t.Errorf("%s: the receipt has changed:\n%s\n%s", name, again, receipts["first 0"])
		}
		for _, c := range []*config.Config{cfg, second, third} {
			r.ownLeaves(c)
		}
		r.end()
	}
	if n := len(must(trustroot.LoadGateway(cfg.Attestation.GatewayTrust)).OwnLogs()); n != 3 {
		t.Errorf("%d own logs are trusted", n)
	}
}

// An own log that there is not is no fault, and one that is in the store alone is served, with what waits for it in sight.
func TestOwnLogUnconfigured(t *testing.T) {
	t.Parallel()
	cfg := ownConfig(t, rekortest.StartServer(t))
	cfg.OwnLog.Closed = []string{"gateway.test/never"}
	r := run(t, cfg)
	ids := r.postAll("text", 3)
	leaves := r.awaitLogged(ids)
	if troubles := r.troubles(); len(troubles) > 0 || r.stateOf(cfg) != "works" {
		t.Errorf("troubles %v, state %s", troubles, r.stateOf(cfg))
	}
	if told := "own_log.closed names a log that this store has never had"; strings.Count(r.log.String(), told) != 1 || !strings.Contains(r.log.String(), config.OwnLogID("gateway.test/never")) {
		t.Errorf("%q is not said once:\n%s", told, r.log)
	}
	waiting := r.postAll("waiting", 30)
	r.end()
	without := *cfg
	without.OwnLog, without.Policy.Ways = config.OwnLog{}, nil
	r = run(t, &without)
	r.wantTimesIn(cfg, leaves, 1)
	r.batchedReceipt(cfg, ids[0], "text 0")
	await(t, "the trouble", func() bool {
		return r.troubles()[cfg.OwnLog.ID()] == gateway.TroubleNotConfigured || r.get(waiting[29]).body["state"] == "LOGGED"
	})
	resp := must(http.Get(r.Addresses().HTTP + "/own/own-00000000/checkpoint"))
	defer resp.Body.Close()
	if body := must(io.ReadAll(resp.Body)); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a tree that there is not: %d %s", resp.StatusCode, body)
	}
	if got := r.stateOf(cfg); got != "unconfigured" {
		t.Errorf("the state is %q", got)
	}
	r.end()
}
