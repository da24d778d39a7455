// SPDX-License-Identifier: Apache-2.0

//go:build unix

package server_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	trustrootpb "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// front serves a log at one address, as public logs are: gRPC, and tiles below /api/v2. It returns the URL, whose host is the log's origin.
func front(t *testing.T, log *rekortest.Server) string {
	t.Helper()
	return frontUnless(t, log, new(atomic.Bool))
}

// frontUnless is front, and answers 503 while it is down.
func frontUnless(t *testing.T, log *rekortest.Server, down *atomic.Bool) string {
	t.Helper()
	to := func(raw string, http2 bool) *httputil.ReverseProxy {
		transport := &http.Transport{}
		if http2 {
			transport.Protocols = new(http.Protocols)
			transport.Protocols.SetUnencryptedHTTP2(true)
		}
		t.Cleanup(transport.CloseIdleConnections)
		return &httputil.ReverseProxy{Transport: transport, FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(must(url.Parse(raw))) }}
	}
	writes, reads := to(log.GRPCURL(), true), to(log.ReadURL(), false)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			writes.ServeHTTP(w, r)
			return
		}
		http.StripPrefix("/api/v2", reads).ServeHTTP(w, r)
	}))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return "http://" + net.JoinHostPort(log.Origin(), port)
}

// service is a log in a signing config, of one operator.
func service(url string, start, end time.Time) root.Service {
	return root.Service{URL: url, Operator: "example.com", MajorAPIVersion: 2, ValidityPeriodStart: start, ValidityPeriodEnd: end}
}

func signingConfig(services ...root.Service) []byte {
	any := root.ServiceConfiguration{Selector: trustrootpb.ServiceSelector_ANY}
	return must(must(root.NewSigningConfig(root.SigningConfigMediaType02, nil, nil, services, any, nil, any)).MarshalJSON())
}

// sourcedConfig is a gateway whose log comes from a signing config.
func sourcedConfig(t *testing.T, log *rekortest.Server, keys []trustroot.LogKey, services ...root.Service) *config.Config {
	t.Helper()
	cfg := rotatingConfig(t, log)
	writeRoot(t, cfg, keys...)
	cfg.Source.SigningConfig = filepath.Join(t.TempDir(), "signing_config.json")
	writeSigning(t, cfg, services...)
	cfg.Logs = []config.Log{{ID: "log", IntegrationDelay: time.Second}}
	return cfg
}

func writeSigning(t *testing.T, cfg *config.Config, services ...root.Service) {
	t.Helper()
	if err := os.WriteFile(cfg.Source.SigningConfig+"~", signingConfig(services...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(cfg.Source.SigningConfig+"~", cfg.Source.SigningConfig); err != nil {
		t.Fatal(err)
	}
}

// load posts texts until it is stopped, and returns the IDs.
func (r *running) load(what string) (stop func() []string) {
	var mu sync.Mutex
	var ids []string
	done, loading := make(chan struct{}), sync.WaitGroup{}
	for worker := range 4 {
		loading.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				case <-time.After(20 * time.Millisecond):
				}
				id := r.post(key, fmt.Sprint(what, " ", worker, " ", i))
				mu.Lock()
				ids = append(ids, id)
				mu.Unlock()
			}
		})
	}
	return func() []string { close(done); loading.Wait(); return ids }
}

// TestShardEndsAtMidnight: under load, by the clock alone, one shard of a signing config ends and the next begins. Nothing is lost or logged twice,
// what was in doubt then settles where it was sent, and nothing that is sent later goes to the one that has ended. What is attested at that moment
// verifies.
func TestShardEndsAtMidnight(t *testing.T) {
	t.Parallel()
	midnight := time.Now().Add(-time.Hour).Truncate(time.Hour)
	before, after := rekortest.StartServer(t, rekortest.Named("127.0.0.1")), rekortest.StartServer(t, rekortest.Named("localhost"))
	keys := []trustroot.LogKey{trusted(before, midnight.AddDate(-1, 0, 0), time.Time{}), trusted(after, midnight.AddDate(0, 0, -1), time.Time{})}
	cfg := sourcedConfig(t, before, keys,
		service(front(t, after), midnight, time.Time{}), service(front(t, before), midnight.AddDate(-1, 0, 0), midnight))
	var past atomic.Bool
	r := runBy(t, cfg, func() time.Time {
		if past.Load() {
			return midnight
		}
		return midnight.Add(-time.Nanosecond)
	})
	stop := r.load("load")
	time.Sleep(3 * time.Second)
	if n := len(server.ReadLeaves(t, after)); n != 0 {
		t.Errorf("%d entries are in the shard that has not begun", n)
	}
	release := before.HoldSequencing()
	doubtful := r.postAll("doubtful", 5)
	time.Sleep(2 * time.Second) // they are under way
	past.Store(true)
	attested := r.attestText("at the switch")     // before the gateway has looked at its shards
	fresh := r.awaitLogged(r.postAll("fresh", 5)) // while what the former shard was sent is in doubt
	r.awaitMetric(`config_last_reload_successful{what="trusted_root"}`, "1")
	release()
	ids := stop()
	wantOnce(t, append(r.awaitLogged(ids), fresh...), before, after)
	wantOnce(t, fresh, after)
	wantOnce(t, r.awaitLogged(doubtful), before)
	if first, second := len(server.ReadLeaves(t, before)), len(server.ReadLeaves(t, after)); first == 0 || second <= len(fresh) {
		t.Errorf("%d and %d entries of the load of %d", first, second, len(ids))
	}
	await(t, "no trouble", func() bool { return len(r.troubles()) == 0 })
	await(t, "the key's range in the second shard", func() bool { return len(rangesOf(t, cfg)) == 2 })
	if got := verdictOn(t, cfg, attested, "at the switch"); got != "" {
		t.Errorf("what was attested at the switch: %s, with ranges %v", got, rangesOf(t, cfg))
	}
	if text := r.end(); !strings.Contains(text, "written to another shard from now on") {
		t.Errorf("log:\n%s", text)
	}
}

// TestSigningConfigIsReadAgain: a new shard comes with the file, beforehand; a faulty file changes nothing.
func TestSigningConfigIsReadAgain(t *testing.T) {
	t.Parallel()
	one, two := rekortest.StartServer(t, rekortest.Named("127.0.0.1")), rekortest.StartServer(t, rekortest.Named("localhost"))
	keys := []trustroot.LogKey{trusted(one, anHourAgo, time.Time{}), trusted(two, anHourAgo, time.Time{})}
	first := service(front(t, one), anHourAgo, time.Time{})
	cfg := sourcedConfig(t, one, keys, first)
	r := run(t, cfg)
	wantOnce(t, r.awaitLogged(r.postAll("first", 2)), one)

	v1 := first
	v1.MajorAPIVersion = 1
	writeSigning(t, cfg, v1)
	if err := r.Reload(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "version 1 alone") {
		t.Errorf("a log of version 1: %v", err)
	}
	r.awaitMetric(`config_last_reload_successful{what="trusted_root"}`, "0")
	wantOnce(t, r.awaitLogged(r.postAll("still", 2)), one)

	writeSigning(t, cfg, first, service(front(t, two), anHourAgo.Add(time.Minute), time.Time{}))
	r.awaitMetric(`config_last_reload_successful{what="trusted_root"}`, "1")
	wantOnce(t, r.awaitLogged(r.postAll("second", 2)), two)
	r.end()
}

// TestChangeIsTriedAgain: what could not be used for a while is not in use, is not told to be, and is used once it can be: a shard that begins by the
// clock while it cannot be read, and a trusted root whose key begins later.
func TestChangeIsTriedAgain(t *testing.T) {
	t.Parallel()
	const reloaded = `config_last_reload_successful{what="trusted_root"}`
	t.Run("clock", func(t *testing.T) {
		t.Parallel()
		midnight := time.Now().Add(-time.Hour).Truncate(time.Hour)
		before, after := rekortest.StartServer(t, rekortest.Named("127.0.0.1")), rekortest.StartServer(t, rekortest.Named("localhost"))
		keys := []trustroot.LogKey{trusted(before, midnight.AddDate(-1, 0, 0), time.Time{}), trusted(after, midnight.AddDate(0, 0, -1), time.Time{})}
		var past, down atomic.Bool
		cfg := sourcedConfig(t, before, keys, service(frontUnless(t, after, &down), midnight, time.Time{}), service(front(t, before), midnight.AddDate(-1, 0, 0), midnight))
		r := runBy(t, cfg, func() time.Time {
			if past.Load() {
				return midnight
			}
			return midnight.Add(-time.Nanosecond)
		})
		down.Store(true)
		past.Store(true)
		r.awaitMetric(reloaded, "0")
		time.Sleep(6 * time.Second) // it is looked at again
		r.wantMetric(reloaded, "0")
		if ranges := rangesOf(t, cfg); len(ranges) != 1 {
			t.Errorf("ranges of a log that cannot be read: %v", ranges)
		}
		down.Store(false)
		r.awaitMetric(reloaded, "1")
		if ranges := rangesOf(t, cfg); len(ranges) != 2 || ranges[1].Origin != after.Origin() {
			t.Errorf("ranges: %v", ranges)
		}
		wantOnce(t, r.awaitLogged(r.postAll("then", 2)), after)
		r.end()
	})
	t.Run("key", func(t *testing.T) {
		t.Parallel()
		log := rekortest.StartServer(t)
		cfg := rotatingConfig(t, log)
		var ahead atomic.Int64
		r := runBy(t, cfg, func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
		next := trusted(log, time.Now().Add(24*time.Hour), time.Time{})
		writeRoot(t, cfg, next)
		r.awaitMetric(reloaded, "0")
		ahead.Store(int64(25 * time.Hour))
		r.awaitMetric(reloaded, "1")
		r.end()
	})
}

// TestSelectorHoldsAtReload: a policy that records in fewer logs than the selector wants changes nothing.
func TestSelectorHoldsAtReload(t *testing.T) {
	t.Parallel()
	log, other := rekortest.StartServer(t, rekortest.Named("127.0.0.1")), rekortest.StartServer(t, rekortest.Named("own.test"))
	cfg := sourcedConfig(t, log, []trustroot.LogKey{trusted(log, anHourAgo, time.Time{}), trusted(other, anHourAgo, time.Time{})}, service(front(t, log), anHourAgo, time.Time{}))
	cfg.Logs = append(cfg.Logs, logOf("own", other))
	r := run(t, cfg)
	r.awaitLogged(r.postAll("both", 2))
	less := *cfg
	less.Policy.Logs.Need = 1 // that may be the other
	for name, err := range map[string]error{"all": r.Reload(t.Context(), &less), "callers": r.ReloadCallers(t.Context(), &less)} {
		if err == nil || !strings.Contains(err.Error(), "policy.logs: ") || !strings.Contains(err.Error(), "in 1 logs (ANY)") {
			t.Errorf("%s: %v", name, err)
		}
	}
	none := *cfg
	none.Policy.Logs.List = []string{"own"}
	if err := r.ReloadCallers(t.Context(), &none); err != nil {
		t.Error(err)
	}
	r.end()
}

// TestCallersAreRevokedWithoutLogs: that a log of the source has ended does not keep a caller; other logs for a policy are looked at all the same.
func TestCallersAreRevokedWithoutLogs(t *testing.T) {
	t.Parallel()
	log := rekortest.StartServer(t, rekortest.Named("127.0.0.1"))
	end := time.Now().Add(time.Hour)
	cfg := sourcedConfig(t, log, []trustroot.LogKey{trusted(log, anHourAgo, time.Time{})}, service(front(t, log), anHourAgo, end))
	withCallers(cfg, map[string][]string{"farm": {"submit"}, "thief": {"submit"}})
	var past atomic.Bool
	r := runBy(t, cfg, func() time.Time {
		if past.Load() {
			return end.Add(time.Second)
		}
		return time.Now()
	})
	past.Store(true)
	less := *cfg
	withCallers(&less, map[string][]string{"farm": {"submit"}})
	if err := r.ReloadCallers(t.Context(), &less); err != nil {
		t.Error(err)
	}
	code, said, _ := r.postRekor("{}", "Authorization", bearer("thief"))
	if code != http.StatusUnauthorized {
		t.Errorf("who was revoked: %d %v", code, said)
	}
	more := less
	more.Policies = map[string]config.Policy{"new": {Logs: config.LogSet{List: []string{"log"}}}}
	if err := r.ReloadCallers(t.Context(), &more); err == nil || !strings.Contains(err.Error(), "policies.new.logs: ") {
		t.Errorf("a new policy: %v", err)
	}
	r.end()
}

// TestLogsHaveNoShardInCommon: whichever way two logs of the configuration come to be one, it does not count as two.
func TestLogsHaveNoShardInCommon(t *testing.T) {
	t.Parallel()
	log := rekortest.StartServer(t, rekortest.Named("127.0.0.1"))
	first := service(front(t, log), anHourAgo, time.Time{})
	second := first
	second.Operator = "example.org"
	cfg := sourcedConfig(t, log, []trustroot.LogKey{trusted(log, anHourAgo, time.Time{})}, first, second)
	cfg.Logs[0].Operator = "example.com"
	if err := server.CheckFiles(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]config.Log{
		"of two operators":           {ID: "twin", Operator: "example.org", IntegrationDelay: time.Second},
		"beside one by its URL":      logOf("twin", log),
		"of another's former shards": {ID: "twin", Origin: "own.test", GRPCURL: log.GRPCURL(), ReadURL: log.ReadURL(), IntegrationDelay: time.Second, Former: []config.FormerLog{{Origin: log.Origin(), ReadURL: log.ReadURL()}}},
	} {
		twice := *cfg
		twice.Logs = append(slices.Clone(cfg.Logs), other)
		if other.Origin == "own.test" {
			writeRoot(t, cfg, trusted(log, anHourAgo, time.Time{}), trusted(rekortest.StartServer(t, rekortest.Named("own.test")), anHourAgo, time.Time{}))
		}
		if err := server.CheckFiles(t.Context(), &twice); err == nil || !strings.Contains(err.Error(), "they are one log") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
