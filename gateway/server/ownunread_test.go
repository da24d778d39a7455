// SPDX-License-Identifier: Apache-2.0

//go:build unix

package server_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// TestLateFormerLogIsGone: a log that had anchors before others took its place may be gone, and taken out of the configuration, which is said: the own log goes
// on. An older copy of the store, whose last anchor is in that log, still is not gone on with.
func TestLateFormerLogIsGone(t *testing.T) {
	t.Parallel()
	s := startLogs(t, 2)
	cfg := s.cfg
	cfg.OwnLog = newOwnLog(cfg)
	cfg.Policy.Ways = []string{"BATCHED", "DIRECT"}
	cfg.Policy.Logs, cfg.OwnLog.Logs = config.LogSet{List: []string{"b"}, Need: 1}, config.LogSet{List: []string{"b"}, Need: 1}
	r := run(t, cfg)
	r.awaitLogged(r.postAll("first", 3))
	r.end()
	folder, copied := filepath.Dir(cfg.Store.SQLite.Path), t.TempDir()
	copyStoreFiles(t, folder, copied)

	moved := *cfg
	moved.Policy.Logs, moved.OwnLog.Logs = config.LogSet{List: []string{"a"}, Need: 1}, config.LogSet{List: []string{"a"}, Need: 1}
	r = run(t, &moved)
	r.awaitLogged(r.postAll("second", 3))
	r.end()

	s.logs[1].Kill()
	gone := moved
	gone.Logs = slices.Clone(moved.Logs)
	gone.Logs[1].ReadURL = fmt.Sprintf("http://127.0.0.1:%d", must(rekortest.FreePort())) // the tiles would be served still
	r = run(t, &gone)
	r.awaitLogged(r.postAll("third", 3))
	if told := "unread=b"; !strings.Contains(r.log.String(), told) {
		t.Errorf("%s is not said:\n%s", told, r.log)
	}
	r.end()

	without := moved
	without.Logs = moved.Logs[:1]
	r = run(t, &without)
	r.awaitLogged(r.postAll("fourth", 3))
	if told := "unread=b.test"; !strings.Contains(r.log.String(), told) {
		t.Errorf("%s is not said:\n%s", told, r.log)
	}
	r.end()

	copyStoreFiles(t, copied, folder)
	r = run(t, &gone)
	await(t, "the trouble", func() bool { return r.troubles()[cfg.OwnLog.ID()] == gateway.TroubleForgotten })
	r.end()
}
