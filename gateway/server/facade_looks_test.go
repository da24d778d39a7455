// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

// facadeID returns the ID of the own log that is the one tree of a store.
func facadeID(t *testing.T, cfg *config.Config) string {
	t.Helper()
	store := must(sqlite.Open(t.Context(), cfg.Store.SQLite.Path, sqlite.Options{}))
	defer store.Close()
	for _, own := range must(store.ListOwnLogs(t.Context())) {
		if gateway.IsFacadeLog(own.ID) {
			return own.ID
		}
	}
	t.Fatal("the store has no facade")
	return ""
}

// recordInFacade submits a text, and returns when the facade has so many entries.
func (r *running) recordInFacade(text string, n int) {
	r.t.Helper()
	base := r.Addresses().HTTP + "/r/" + pathToken
	if a, _ := r.submitTo(base+"/v1/submissions?wait=20s", text); a.status >= 300 {
		r.t.Fatalf("%d %v", a.status, a.body)
	}
	await(r.t, fmt.Sprint(n, " entries"), func() bool {
		resp := must(http.Get(base + fmt.Sprint("/api/v1/log/entries?logIndex=", n-1)))
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// TestFacadeShardGone: a store that says that it may be an older copy is not gone on with while a shard cannot be read in which the facade's anchors are,
// since it is not configured any more: another history under the same name would be the end of it.
func TestFacadeShardGone(t *testing.T) {
	t.Parallel()
	first := rekortest.StartServer(t)
	cfg := withPathToken(withFacade(newConfigOver(t, first)))
	r := run(t, cfg)
	r.recordInFacade("one", 1)
	r.stop()
	id := facadeID(t, cfg)
	db := cfg.Store.SQLite.Path
	backup := must(os.ReadFile(db))
	r = run(t, cfg)
	r.recordInFacade("two", 2)
	r.stop()
	for range 2 { // so that it is seen that the store went back
		run(t, cfg).stop()
	}
	_, _ = os.Remove(db+"-wal"), os.Remove(db+"-shm")
	if err := os.WriteFile(db, backup, 0o600); err != nil {
		t.Fatal(err)
	}
	second := rekortest.StartServer(t, rekortest.Named("next.log.test"))
	writeRoot(t, cfg, trusted(second, anHourAgo, time.Time{}))
	cfg.Logs[0].Origin, cfg.Logs[0].GRPCURL, cfg.Logs[0].ReadURL = second.Origin(), second.GRPCURL(), second.ReadURL()
	r = run(t, cfg)
	defer r.stop()
	await(t, "trouble", func() bool { return r.troubles()[id] != "" })
	if got := r.troubles()[id]; got != gateway.TroubleOwnLog {
		t.Errorf("the facade is in trouble by %s", got)
	}
	if said := r.log.String(); !strings.Contains(said, "no log is configured any more") || !strings.Contains(said, first.Origin()) {
		t.Error("nothing is said of the shard")
	}
}

// TestFacadeKeyIsNew: a facade whose anchor key was made just now does not read what was in shards before, former ones among them.
func TestFacadeKeyIsNew(t *testing.T) {
	t.Parallel()
	first := rekortest.StartServer(t)
	cfg := withPathToken(newConfigOver(t, first))
	r := run(t, cfg)
	for _, text := range []string{"a", "b", "c"} {
		r.submitTo(r.Addresses().HTTP+"/r/"+pathToken+"/v1/submissions?wait=20s", text)
	}
	r.stop()
	second := rekortest.StartServer(t, rekortest.Named("next.log.test"))
	writeRoot(t, cfg, trusted(first, anHourAgo, time.Now()), trusted(second, time.Now(), time.Time{}))
	cfg.Logs[0].Origin, cfg.Logs[0].IntegrationDelay, cfg.Logs[0].GRPCURL, cfg.Logs[0].ReadURL = second.Origin(), time.Second, second.GRPCURL(), second.ReadURL()
	cfg.Logs[0].Former = []config.FormerLog{{Origin: first.Origin(), ReadURL: first.ReadURL()}}
	withFacade(cfg)
	r = run(t, cfg)
	r.recordInFacade("d", 1)
	r.stop()
	id := facadeID(t, cfg)
	store := must(sqlite.Open(t.Context(), cfg.Store.SQLite.Path, sqlite.Options{}))
	defer store.Close()
	begun := map[string]uint64{}
	for _, look := range must(store.Looks(t.Context(), id)) {
		begun[look.Shard.Origin] = look.From
	}
	if len(begun) != 2 || begun[first.Origin()] != 3 || begun[second.Origin()] != 0 {
		t.Errorf("shards are read from %v", begun)
	}
}

// TestFacadeForgotAll: a former tree of which a store that was put back knows nothing at all is not gone on from as if it had shown nothing: the next one would
// promise its indexes again. One that has shown nothing is.
func TestFacadeForgotAll(t *testing.T) {
	t.Parallel()
	for _, forgets := range []bool{false, true} {
		t.Run(fmt.Sprint(forgets), func(t *testing.T) {
			t.Parallel()
			cfg := withPathToken(withFacade(newConfig(t)))
			run(t, cfg).stop()
			if forgets {
				backup := must(os.ReadFile(cfg.Store.SQLite.Path))
				r := run(t, cfg)
				r.recordInFacade("lost", 1)
				r.stop()
				_, _ = os.Remove(cfg.Store.SQLite.Path+"-wal"), os.Remove(cfg.Store.SQLite.Path+"-shm")
				if err := os.WriteFile(cfg.Store.SQLite.Path, backup, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			f := &cfg.RekorAPI.Facade
			f.FormerKeys, f.Key, f.AnchorKey = []string{f.Key}, f.Key+"2", f.AnchorKey+"2"
			if !forgets {
				r := run(t, cfg)
				defer r.stop()
				r.recordInFacade("one", 1)
				return
			}
			for range 20 {
				r := run(t, cfg)
				time.Sleep(time.Second)
				resp := must(http.Get(r.Addresses().HTTP + "/r/" + pathToken + "/api/v1/log"))
				_ = resp.Body.Close()
				r.stop()
				if resp.StatusCode != http.StatusServiceUnavailable {
					t.Fatalf("the next tree answers with %s", resp.Status)
				}
				if strings.Contains(r.log.String(), "no other log can count on from its end") {
					return
				}
			}
			t.Error("nothing is said of what the store has forgotten")
		})
	}
}
