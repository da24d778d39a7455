// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rekor-gateway/rekor-gateway/gateway/attest"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
)

// TestFacadeKeys: the keys of the facade are read before the start, and one that is missing, of another kind, or another key of the gateway's by whatever file is
// refused by a check of the configuration and by the start, by the name of what names it.
func TestFacadeKeys(t *testing.T) {
	t.Parallel()
	log := rekortest.StartServer(t)
	for name, test := range map[string]struct {
		change func(c *config.Config, copyKey func(from, to string))
		says   string
	}{
		"made at the start": {func(c *config.Config, _ func(_, _ string)) {
			c.RekorAPI.Facade.Key, c.RekorAPI.Facade.AnchorKey = c.RekorAPI.Facade.Key+"2", c.RekorAPI.Facade.AnchorKey+"2"
		}, ""},
		"missing": {func(c *config.Config, _ func(_, _ string)) {
			c.RekorAPI.Facade.Key += "2"
			c.RekorAPI.Facade.CreateKeys = false
		}, "rekor_api.facade.key: "},
		"no anchor key": {func(c *config.Config, _ func(_, _ string)) {
			c.RekorAPI.Facade.AnchorKey += "2"
			c.RekorAPI.Facade.CreateKeys = false
		}, "rekor_api.facade.anchor_key: "},
		"no former key":   {func(c *config.Config, _ func(_, _ string)) { c.RekorAPI.Facade.FormerKeys = []string{"none"} }, "rekor_api.facade.former_keys: "},
		"another kind":    {func(c *config.Config, _ func(_, _ string)) { c.RekorAPI.Facade.Key = c.TrustedRoot }, "rekor_api.facade.key: "},
		"one for both":    {func(c *config.Config, cp func(_, _ string)) { cp(c.RekorAPI.Facade.Key, c.RekorAPI.Facade.AnchorKey) }, "rekor_api.facade.anchor_key: "},
		"the statements'": {func(c *config.Config, cp func(_, _ string)) { cp(c.Attestation.Key, c.RekorAPI.Facade.AnchorKey) }, "the same key as attestation.key"},
		"the own log's":   {func(c *config.Config, cp func(_, _ string)) { cp(c.OwnLog.AnchorKey, c.RekorAPI.Facade.Key) }, "the same key as own_log.anchor_key"},
		"the one in use": {func(c *config.Config, cp func(_, _ string)) {
			c.RekorAPI.Facade.FormerKeys = []string{c.TrustedRoot + ".key"}
			cp(c.RekorAPI.Facade.Key, c.TrustedRoot+".key")
		}, "rekor_api.facade.former_keys: "},
		"all of their own": {func(*config.Config, func(_, _ string)) {}, ""},
		"without a facade": {func(c *config.Config, _ func(_, _ string)) { c.RekorAPI = config.RekorAPI{}; c.OwnLog.AnchorKey += "2" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := withFacade(newConfigOver(t, log))
			cfg.OwnLog = newOwnLog(cfg)
			for _, path := range []string{cfg.Attestation.Key, cfg.OwnLog.AnchorKey, cfg.RekorAPI.Facade.Key, cfg.RekorAPI.Facade.AnchorKey} {
				must(attest.LoadAnchorSigner(path, true))
			}
			test.change(cfg, func(from, to string) {
				if err := os.WriteFile(to, must(os.ReadFile(from)), 0o600); err != nil {
					t.Fatal(err)
				}
			})
			before := len(must(os.ReadDir(filepath.Dir(cfg.Store.SQLite.Path))))
			_, err := server.CheckLogs(t.Context(), cfg)
			if says := test.says; says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
				t.Errorf("a check says %v, want %q", err, says)
			}
			if after := len(must(os.ReadDir(filepath.Dir(cfg.Store.SQLite.Path)))); after != before {
				t.Errorf("a check has made %d files", after-before)
			}
			if test.says == "" {
				return
			}
			if s, err := server.Build(t.Context(), cfg, server.Options{Registry: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler), Now: time.Now}); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("the start says %v, %v", s, err)
			}
		})
	}
}
