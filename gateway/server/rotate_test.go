// SPDX-License-Identifier: Apache-2.0

//go:build unix

package server_test

import (
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// trusted is a server's key in a trusted root.
func trusted(s *rekortest.Server, start, end time.Time) trustroot.LogKey {
	return trustroot.LogKey{Origin: s.Origin(), SPKI: must(s.PublicKey()), Start: start, End: end}
}

// writeRoot replaces the configuration's trusted root.
func writeRoot(t *testing.T, cfg *config.Config, keys ...trustroot.LogKey) {
	t.Helper()
	if err := must(trustroot.New(keys...)).Write(cfg.TrustedRoot); err != nil {
		t.Fatal(err)
	}
}

// logOf is a configured log over a server, which forgets soon what it was sent.
func logOf(id string, s *rekortest.Server) config.Log {
	return config.Log{ID: id, Origin: s.Origin(), GRPCURL: s.GRPCURL(), ReadURL: s.ReadURL(), IntegrationDelay: time.Second}
}

var anHourAgo = time.Now().Add(-time.Hour)

// rotatingConfig is a gateway in front of one real log, without patience.
func rotatingConfig(t *testing.T, s *rekortest.Server) *config.Config {
	t.Helper()
	cfg := newConfigOver(t, s)
	cfg.Logs = []config.Log{logOf("log", s)}
	cfg.Worker.AddTimeout = 5 * time.Second
	return cfg
}

// post submits text without waiting and returns the submission's ID.
func (r *running) post(k *ecdsa.PrivateKey, text string) string {
	r.t.Helper()
	var a answer
	for try := 0; try == 0 || try < 10 && a.status == http.StatusServiceUnavailable; try++ { // a busy machine
		kind, body := form(k, text)
		a = r.answer(http.Post(r.Addresses().HTTP+"/v1/submissions?wait=0", kind, body))
	}
	if a.status != http.StatusAccepted && a.status != http.StatusCreated {
		r.t.Fatalf("%d %v", a.status, a.body)
	}
	return a.body["id"].(string)
}

func (r *running) postAll(what string, n int) []string {
	r.t.Helper()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = r.post(key, fmt.Sprint(what, " ", i))
	}
	return ids
}

// await waits until done.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !done(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in time", what)
		}
	}
}

// get returns a submission.
func (r *running) get(id string) answer {
	r.t.Helper()
	return r.answer(http.Get(r.Addresses().HTTP + "/v1/submissions/" + id))
}

// awaitLogged waits until all are logged and returns their leaves.
func (r *running) awaitLogged(ids []string) []gateway.LeafHash {
	r.t.Helper()
	var leaves []gateway.LeafHash
	for _, id := range ids {
		var a answer
		await(r.t, "logging "+id, func() bool { a = r.get(id); return a.body["state"] == "LOGGED" })
		for _, e := range a.body["entries"].([]any) {
			leaves = append(leaves, leafOf(r.t, e.(map[string]any)["leafHash"].(string)))
		}
	}
	return leaves
}

func leafOf(t *testing.T, text string) gateway.LeafHash {
	t.Helper()
	raw, err := hex.DecodeString(strings.TrimPrefix(text, "sha256:"))
	if err != nil {
		raw, err = base64.StdEncoding.DecodeString(text)
	}
	if err != nil || len(raw) != 32 {
		t.Fatalf("%q is no leaf hash", text)
	}
	return gateway.LeafHash(raw)
}

// awaitMetric waits until a metric has a value.
func (r *running) awaitMetric(name, want string) {
	r.t.Helper()
	await(r.t, name+" "+want, func() bool {
		resp := must(http.Get(r.Addresses().Admin + "/metrics"))
		defer resp.Body.Close()
		return strings.Contains(string(must(io.ReadAll(resp.Body))), "\nrekor_gateway_"+name+" "+want+"\n")
	})
}

// wantMetric checks that a metric has a value now.
func (r *running) wantMetric(name, want string) {
	r.t.Helper()
	resp := must(http.Get(r.Addresses().Admin + "/metrics"))
	defer resp.Body.Close()
	if !strings.Contains(string(must(io.ReadAll(resp.Body))), "\nrekor_gateway_"+name+" "+want+"\n") {
		r.t.Errorf("%s is not %s", name, want)
	}
}

// troubles returns what /readyz says of the logs.
func (r *running) troubles() map[string]string {
	r.t.Helper()
	resp := must(http.Get(r.Addresses().Admin + "/readyz"))
	defer resp.Body.Close()
	var ready struct {
		Logs []struct{ ID, Problem, Message string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&ready); err != nil {
		r.t.Fatal(err)
	}
	all := map[string]string{}
	for _, l := range ready.Logs {
		if all[l.ID] = l.Problem; l.Message == "" {
			r.t.Errorf("no words for %s", l.Problem)
		}
	}
	return all
}

// wantOnce checks that each leaf stands once in the logs together, and nothing twice in one.
func wantOnce(t *testing.T, leaves []gateway.LeafHash, logs ...*rekortest.Server) {
	t.Helper()
	total := map[gateway.LeafHash]int{}
	for i, l := range logs {
		for leaf, n := range server.ReadLeaves(t, l) {
			if n != 1 {
				t.Errorf("leaf %x is in log %d %d times", leaf, i, n)
			}
			total[leaf] += n
		}
	}
	for _, leaf := range leaves {
		if total[leaf] != 1 {
			t.Errorf("leaf %x is logged %d times", leaf, total[leaf])
		}
	}
}

// reload has the gateway read cfg again.
func (r *running) reload(cfg *config.Config) {
	r.t.Helper()
	if err := r.Reload(r.t.Context(), cfg); err != nil {
		r.t.Fatal(err)
	}
}

// end stops the gateway and returns its log.
func (r *running) end() string {
	r.t.Helper()
	if err := r.stop(); err != nil {
		r.t.Fatal(err)
	}
	return r.log.String()
}

// TestRotatedToAnotherLog: entries are in doubt when the log rotates. Those that the former shard includes are found there;
// those that it has lost are seen to wait, until the operator says that it is closed, and go to the new one then.
func TestRotatedToAnotherLog(t *testing.T) {
	t.Parallel()
	before, after := rekortest.StartServer(t), rekortest.StartServer(t, rekortest.Named("next.test"))
	cfg := rotatingConfig(t, before)
	writeRoot(t, cfg, trusted(before, anHourAgo, time.Time{}), trusted(after, anHourAgo, time.Time{}))
	r := run(t, cfg)
	release := before.HoldSequencing()
	included := r.postAll("included", 5)
	r.awaitMetric(`entries_in_doubt{log="log"}`, "5")

	rotated := *cfg
	rotated.Logs = []config.Log{logOf("log", after)}
	rotated.Logs[0].Former = []config.FormerLog{{Origin: before.Origin(), ReadURL: before.ReadURL()}}
	r.reload(&rotated)
	fresh := r.awaitLogged(r.postAll("fresh", 5))
	for _, id := range included {
		if a := r.get(id); a.body["state"] != "PENDING" {
			t.Errorf("%v while the former shard stalls", a.body)
		}
	}
	release()
	found := r.awaitLogged(included)
	wantOnce(t, append(found, fresh...), before, after)
	wantOnce(t, found, before)
	wantOnce(t, fresh, after)

	r.reload(cfg) // back, so that it loses some
	release = before.HoldSequencing()
	lost := r.postAll("lost", 5)
	r.awaitMetric(`entries_in_doubt{log="log"}`, "5")
	before.Kill()
	release()
	r.reload(&rotated)
	await(t, "the trouble", func() bool { return r.troubles()["log"] == gateway.TroubleFormerShard })
	r.awaitMetric(`entries_in_doubt_elsewhere{log="log"}`, "5")
	r.awaitLogged(r.postAll("fresher", 5)) // the new shard is held up by nothing
	for _, id := range lost {
		if a := r.get(id); a.body["state"] != "PENDING" {
			t.Errorf("%v before the former shard is closed", a.body)
		}
	}
	closed := rotated
	closed.Logs = []config.Log{logOf("log", after)}
	closed.Logs[0].Former = []config.FormerLog{{Origin: before.Origin(), ReadURL: before.ReadURL(), Closed: true}}
	r.reload(&closed)
	wantOnce(t, r.awaitLogged(lost), after)
	await(t, "no trouble", func() bool { return len(r.troubles()) == 0 })
	if text := r.end(); !strings.Contains(text, "in former shards of this log") {
		t.Errorf("log:\n%s", text)
	}
}

// forwarder is an address behind which servers change.
type forwarder struct {
	net.Listener
	to atomic.Pointer[string]

	mu    sync.Mutex
	conns []net.Conn
}

func startForwarder(t *testing.T, to string) *forwarder {
	t.Helper()
	f := &forwarder{Listener: must(net.Listen("tcp", "127.0.0.1:0"))}
	f.forward(to)
	go func() {
		for {
			in, err := f.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", *f.to.Load())
			if err != nil {
				in.Close()
				continue
			}
			f.mu.Lock()
			f.conns = append(f.conns, in, out)
			f.mu.Unlock()
			go func() { _, _ = io.Copy(in, out); in.Close() }()
			go func() { _, _ = io.Copy(out, in); out.Close() }()
		}
	}()
	t.Cleanup(func() { f.Close(); f.forward(to) })
	return f
}

// forward sends new connections elsewhere, and cuts off the others.
func (f *forwarder) forward(to string) {
	to = strings.TrimPrefix(to, "http://")
	f.to.Store(&to)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		c.Close()
	}
	f.conns = nil
}

func (f *forwarder) url() string { return "http://" + f.Addr().String() }

// TestKeyBegins: by the clock alone, the log's next key comes into use, with a fresh tree under the old name at the old
// addresses. What was in doubt in the old tree is seen to wait there until the operator says where it can still be read.
func TestKeyBegins(t *testing.T) {
	t.Parallel()
	before, after := rekortest.StartServer(t), rekortest.StartServer(t)
	writes, reads := startForwarder(t, before.GRPCURL()), startForwarder(t, before.ReadURL())
	cfg := rotatingConfig(t, before)
	cfg.Logs[0].GRPCURL, cfg.Logs[0].ReadURL = writes.url(), reads.url()
	begins := time.Now().Add(-time.Hour)
	writeRoot(t, cfg, trusted(before, begins.Add(-time.Hour), begins), trusted(after, begins, time.Time{}))
	var begun atomic.Bool
	now := func() time.Time {
		if begun.Load() {
			return begins
		}
		return begins.Add(-time.Minute)
	}
	unattested := *cfg
	unattested.Attestation = config.Attestation{}
	r := runBy(t, &unattested, now)
	r.awaitLogged(r.postAll("before there was an attestation key", 9))
	r.end()
	r = runBy(t, cfg, now)
	first := r.awaitLogged(r.postAll("first", 3))
	release := before.HoldSequencing()
	lost := r.postAll("lost", 3)
	r.awaitMetric(`entries_in_doubt{log="log"}`, "3")
	before.Kill()
	release()

	writes.forward(after.GRPCURL())
	reads.forward(after.ReadURL())
	begun.Store(true)
	attested := r.attestText("attested in the fresh tree")
	await(t, "the range of the attestation key", func() bool { return verdictOn(t, cfg, attested, "attested in the fresh tree") == "" })
	fresh := r.awaitLogged(r.postAll("fresh", 5))
	await(t, "the trouble", func() bool { return r.troubles()["log"] == gateway.TroubleFormerShard })

	archived := *cfg
	archived.Logs = []config.Log{cfg.Logs[0]}
	archived.Logs[0].Former = []config.FormerLog{{Origin: before.Origin(), ReadURL: before.ReadURL(), Closed: true}}
	r.reload(&archived)
	again := r.awaitLogged(lost)
	wantOnce(t, first, before)
	wantOnce(t, append(again, fresh...), after)
	if text := r.end(); !strings.Contains(text, "written to another shard from now on") {
		t.Errorf("log:\n%s", text)
	}
}

// TestTreeGoesOn: the log is restarted with another key over the same tree, and the trusted root's file says so. The gateway reads it
// by itself; what was in doubt is looked for in the tree under the new key, and what is absent there is sent again.
func TestTreeGoesOn(t *testing.T) {
	t.Parallel()
	log := rekortest.StartServer(t)
	cfg := rotatingConfig(t, log)
	writeRoot(t, cfg, trusted(log, anHourAgo, time.Time{}))
	old := trusted(log, anHourAgo, time.Now())
	r := run(t, cfg)
	leaves := r.awaitLogged(r.postAll("first", 3))
	release := log.HoldSequencing()
	lost := r.postAll("lost", 3)
	r.awaitMetric(`entries_in_doubt{log="log"}`, "3")
	log.Kill()
	release()
	log.Rekey()
	old.End = time.Now()
	writeRoot(t, cfg, old, trusted(log, old.End, time.Time{}))
	leaves = append(leaves, r.awaitLogged(r.postAll("fresh", 3))...)
	leaves = append(leaves, r.awaitLogged(lost)...)
	wantOnce(t, leaves, log)
	served := must(http.Get(r.Addresses().HTTP + "/.well-known/rekor-gateway/trusted_root.json"))
	defer served.Body.Close()
	if got := must(io.ReadAll(served.Body)); string(got) != string(must(os.ReadFile(cfg.TrustedRoot))) {
		t.Error("another trusted root is served")
	}
	if text := r.end(); !strings.Contains(text, "the tree goes on under another key") {
		t.Errorf("log:\n%s", text)
	}
}

// TestFaultyRoot: a trusted root that cannot be used changes nothing, is told, and is not served.
func TestFaultyRoot(t *testing.T) {
	t.Parallel()
	log, stranger := rekortest.StartServer(t), rekortest.StartServer(t, rekortest.Named("stranger.test"))
	cfg := rotatingConfig(t, log)
	writeRoot(t, cfg, trusted(log, anHourAgo, time.Time{}))
	good := must(os.ReadFile(cfg.TrustedRoot))
	r := run(t, cfg)
	for name, spoil := range map[string]func(){
		"no JSON": func() { _ = os.WriteFile(cfg.TrustedRoot, []byte("{"), 0o600) },
		"no key":  func() { writeRoot(t, cfg, trusted(stranger, anHourAgo, time.Time{})) },
		"ended":   func() { writeRoot(t, cfg, trusted(log, anHourAgo, time.Now().Add(-time.Minute))) },
		"missing": func() { _ = os.Remove(cfg.TrustedRoot) },
	} {
		spoil()
		if err := r.Reload(t.Context(), cfg); err == nil {
			t.Errorf("%s: read again", name)
		}
	}
	time.Sleep(6 * time.Second) // it is looked at by itself, too
	r.awaitLogged(r.postAll("still", 2))
	r.awaitMetric(`config_last_reload_successful{what="trusted_root"}`, "0")
	served := must(http.Get(r.Addresses().HTTP + "/.well-known/rekor-gateway/trusted_root.json"))
	defer served.Body.Close()
	if got := must(io.ReadAll(served.Body)); string(got) != string(good) {
		t.Errorf("served: %s", got)
	}
	if text := r.end(); strings.Count(text, "the trusted root was not read again") != 1 {
		t.Errorf("log:\n%s", text)
	}
}

// TestLogsComeAndGo: under load, a log is added, taken away and brought back. What was pending for it is seen to wait
// meanwhile, nothing is lost, and nothing is logged twice.
func TestLogsComeAndGo(t *testing.T) {
	t.Parallel()
	one, two := rekortest.StartServer(t), rekortest.StartServer(t, rekortest.Named("two.test"))
	cfg := rotatingConfig(t, one)
	writeRoot(t, cfg, trusted(one, anHourAgo, time.Time{}), trusted(two, anHourAgo, time.Time{}))
	r := run(t, cfg)
	stop, loading := make(chan struct{}), sync.WaitGroup{}
	var mu sync.Mutex
	var ids []string
	for worker := range 4 {
		loading.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				id := r.post(key, fmt.Sprint("load ", worker, " ", i))
				mu.Lock()
				ids = append(ids, id)
				mu.Unlock()
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	with := func(logs ...config.Log) *config.Config {
		c := *cfg
		c.Logs = logs
		return &c
	}
	time.Sleep(2 * time.Second)
	r.reload(with(logOf("log", one), logOf("two", two)))
	time.Sleep(2 * time.Second)
	release := one.HoldSequencing()
	time.Sleep(time.Second)
	r.reload(with(logOf("two", two)))
	await(t, "the trouble", func() bool { return r.troubles()["log"] == gateway.TroubleNotConfigured })
	release()
	time.Sleep(time.Second)
	r.reload(with(logOf("log", one), logOf("two", two)))
	time.Sleep(time.Second)
	close(stop)
	loading.Wait()
	leaves := map[gateway.LeafHash]bool{}
	for _, leaf := range r.awaitLogged(ids) {
		leaves[leaf] = true
	}
	both := 0
	first, second := server.ReadLeaves(t, one), server.ReadLeaves(t, two)
	for leaf := range leaves {
		if first[leaf] > 1 || second[leaf] > 1 || first[leaf]+second[leaf] == 0 {
			t.Errorf("leaf %x: %d and %d times", leaf, first[leaf], second[leaf])
		}
		both += first[leaf] * second[leaf]
	}
	if both == 0 || both == len(leaves) {
		t.Errorf("%d of %d are in both logs", both, len(leaves))
	}
	await(t, "no trouble", func() bool { return len(r.troubles()) == 0 })
	r.end()
}
