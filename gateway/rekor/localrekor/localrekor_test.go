// SPDX-License-Identifier: Apache-2.0

package localrekor_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/transparency-dev/formats/log"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/localrekor"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

func get(t *testing.T, url string) (int, []byte) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, raw
}

// TestKeepsState starts a log, stops it and starts it again: same key, same tree.
func TestKeepsState(t *testing.T) {
	cfg := localrekor.Config{
		Binary: rekortest.Binary(t), DataDir: filepath.Join(t.TempDir(), "new"), Origin: "log.test",
		PersistentAntispam: true,
	}
	var keys [2][]byte
	for i := range keys {
		s := start(t, cfg)
		if _, err := localrekor.Start(t.Context(), cfg); err == nil {
			t.Error("a second log started in the same directory")
		}
		status, checkpoint := get(t, s.ReadURL()+"/checkpoint")
		if status != http.StatusOK {
			t.Fatalf("status %d", status)
		}
		if _, _, _, err := log.ParseCheckpoint(checkpoint, s.Origin(), s.Verifier()); err != nil {
			t.Error(err)
		}
		var err error
		if keys[i], err = os.ReadFile(s.PublicKeyPath()); err != nil {
			t.Error(err)
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		<-s.Done()
	}
	if string(keys[0]) != string(keys[1]) {
		t.Error("the key changed")
	}
	info, err := os.Stat(filepath.Join(cfg.DataDir, "log.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("private key: %v, %v", info.Mode(), err)
	}
}

func start(t *testing.T, cfg localrekor.Config) *localrekor.Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	s, err := localrekor.Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestServesTilesOnly: the storage directory also holds state that is nobody's business.
func TestServesTilesOnly(t *testing.T) {
	s := rekortest.StartServer(t)
	for _, path := range []string{"/", "/tile/", "/tile", "/.state/treeState", "/../log.key", "/tile/../.state/treeState", "/tile/..%2f..%2flog.key"} {
		if status, _ := get(t, s.ReadURL()+path); status != http.StatusNotFound {
			t.Errorf("%s: status %d", path, status)
		}
	}
}

func TestDone(t *testing.T) {
	s := rekortest.StartServer(t)
	select {
	case <-s.Done():
		t.Fatal("done while it runs")
	default:
	}
	s.Kill()
	<-s.Done()
	s.Restart()
}

func TestStartFails(t *testing.T) {
	binary := rekortest.Binary(t)
	damaged := t.TempDir()
	if err := os.WriteFile(filepath.Join(damaged, "log.key"), []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]localrekor.Config{
		"no origin":    {Binary: binary, DataDir: t.TempDir()},
		"no binary":    {Binary: "/nonexistent", DataDir: t.TempDir(), Origin: "log.test"},
		"other binary": {Binary: "/bin/false", DataDir: t.TempDir(), Origin: "log.test"},
		"damaged key":  {Binary: binary, DataDir: damaged, Origin: "log.test"},
		"bad origin":   {Binary: binary, DataDir: t.TempDir(), Origin: "log test"},
	}
	for name, cfg := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := localrekor.Start(t.Context(), cfg); err == nil {
				t.Error("started")
			}
		})
	}
}
