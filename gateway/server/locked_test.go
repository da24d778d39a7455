// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"database/sql"
	"math"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
)

// lockStore holds the write lock of a store's file, as another process does, until unlock.
func lockStore(t *testing.T, path string) (unlock func()) {
	t.Helper()
	db := must(sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(5000)"))
	held := must(db.Begin())
	return sync.OnceFunc(func() {
		_ = held.Rollback()
		_ = db.Close()
	})
}

// While another process holds the store, submissions are refused together once the store's patience
// ends, and the gateway stops within its bound: for calls and for deliveries the drain time each, and
// two seconds to store outcomes.
func TestLockedStore(t *testing.T) {
	cfg := newConfig(t)
	cfg.Worker.Drain = time.Second
	r := run(t, cfg)
	if a := r.submit(key, "before"); a.status != http.StatusCreated {
		t.Fatalf("%d %v", a.status, a.body)
	}
	unlock := lockStore(t, cfg.Store.SQLite.Path)
	started := time.Now()
	var answered sync.WaitGroup
	for _, text := range []string{"a", "b", "c", "d", "e"} {
		answered.Go(func() {
			if a := r.submit(key, text); a.status != http.StatusServiceUnavailable || a.body["reason"] != "NOT_STORED" {
				t.Errorf("%s: %d %v", text, a.status, a.body)
			}
		})
	}
	answered.Wait()
	if took := time.Since(started); took > 12*time.Second {
		t.Errorf("five submissions were answered after %v", took)
	}
	unlock() // it goes on by itself
	if a := r.submit(key, "a"); a.status != http.StatusCreated {
		t.Errorf("unlocked: %d %v", a.status, a.body)
	}
	if a := r.answer(http.Get(r.Addresses().Admin + "/readyz")); a.status != http.StatusOK {
		t.Errorf("unlocked: readyz is %d", a.status)
	}
	unlock = lockStore(t, cfg.Store.SQLite.Path)
	defer unlock()
	go func() { // one more is under way
		kind, body := form(key, "cut off")
		if resp, err := http.Post(r.Addresses().HTTP+"/v1/submissions", kind, body); err == nil {
			resp.Body.Close()
		}
	}()
	started = time.Now()
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(started); took > 6*time.Second {
		t.Errorf("stopped after %v", took)
	}
}

// TestLockedStoreSpools: where nothing but artifacts to be spooled comes in, it shows as well that the store takes nothing.
func TestLockedStoreSpools(t *testing.T) {
	t.Parallel()
	cfg, _ := wholeConfig(t, 1<<20)
	r := run(t, cfg)
	defer r.stop()
	s := signSSH(t, []byte("hello"))
	unlock := lockStore(t, cfg.Store.SQLite.Path)
	defer unlock()
	if a := r.submitSigned(s); a.status != http.StatusServiceUnavailable || a.body["reason"] != "NOT_STORED" {
		t.Errorf("locked: %d %v", a.status, a.body)
	}
	if status, state, body := r.readyz(); status != http.StatusServiceUnavailable || state != "not ready" {
		t.Errorf("locked: readyz is %d: %s", status, body)
	}
	r.wantMetric(`store_failures_total{operation="spool"}`, "1")
	unlock()
	if a := r.submitSigned(s); a.status != http.StatusCreated {
		t.Errorf("unlocked: %d %v", a.status, a.body)
	}
	if _, state, body := r.readyz(); state != "ready" {
		t.Errorf("unlocked: readyz: %s", body)
	}
}

// A gateway that has too little space left says so before it reads on, and is not ready.
func TestDiskLow(t *testing.T) {
	cfg := newConfig(t)
	cfg.Limits.MinFreeDisk = math.MaxInt64
	r := run(t, cfg)
	defer r.stop()
	kind, body := form(key, "hello")
	resp := must(http.Post(r.Addresses().HTTP+"/v1/submissions", kind, body))
	after := resp.Header.Get("Retry-After")
	if a := r.answer(resp, nil); a.status != http.StatusServiceUnavailable || a.body["reason"] != "DISK_LOW" || after == "" {
		t.Errorf("%d %v, Retry-After %q", a.status, a.body, after)
	}
	if a := r.answer(http.Get(r.Addresses().Admin + "/readyz")); a.status != http.StatusServiceUnavailable {
		t.Errorf("readyz: %d", a.status)
	}
}

// Compressed artifacts are taken in whole before they are read, within the spool's bound.
func TestContainersAreSpooled(t *testing.T) {
	cfg := newConfig(t)
	cfg.Limits.MaxSpoolBytes = 100
	r := run(t, cfg)
	defer r.stop()
	for text, want := range map[string]int{"hello": http.StatusCreated, string(noise(upload.ReplayMemory)): http.StatusServiceUnavailable} {
		kind, body := packedForm(text)
		if a := r.answer(http.Post(r.Addresses().HTTP+"/v1/submissions", kind, body)); a.status != want || want >= 400 && a.body["reason"] != "SPOOL_FULL" {
			t.Errorf("%d bytes: %d %v", len(text), a.status, a.body)
		}
	}
	// What is not compressed needs no spool, as the last part.
	if a := r.submit(key, string(noise(1<<20))); a.status != http.StatusCreated {
		t.Errorf("%d %v", a.status, a.body)
	}
}
