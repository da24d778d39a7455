// SPDX-License-Identifier: Apache-2.0

//go:build unix

package server_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// TestReloadOfPipe: a pipe in the place of any file that is read again is refused, rather than read for ever, and the next reload works.
func TestReloadOfPipe(t *testing.T) {
	cfg := newConfig(t)
	cert, _ := newCertificate(t)
	cfg.HTTP.TLS = cert
	r := run(t, cfg)
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*config.Config){
		"trusted root": func(c *config.Config) { c.TrustedRoot = pipe },
		"certificate":  func(c *config.Config) { c.HTTP.TLS.CertFile = pipe },
		"its key":      func(c *config.Config) { c.HTTP.TLS.KeyFile = pipe },
		"key":          func(c *config.Config) { c.Policy.Keys = map[string][]string{"x509": {pipe}} },
		"root":         func(c *config.Config) { c.Policy.Roots = []string{pipe} },
	} {
		changed := *cfg
		change(&changed)
		done := make(chan error, 1)
		go func() { done <- r.Reload(t.Context(), &changed) }()
		select {
		case err := <-done:
			if err == nil || !strings.Contains(err.Error(), pipe+" is not a file") {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("%s: it is read for ever", name)
			if w, err := os.OpenFile(pipe, os.O_WRONLY, 0); err == nil { // ends it
				_ = w.Close()
			}
			<-done
		}
	}
	if err := r.Reload(t.Context(), cfg); err != nil {
		t.Error(err)
	}
}
