// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
)

// TestStoreCopy moves a store with a log that is gone into PostgreSQL, where the log commands go on with it.
func TestStoreCopy(t *testing.T) {
	server := postgrestest.NewServer(t)
	l := newLogCommands(t)
	target := filepath.Join(l.dir, "postgres.yaml")
	sqlite := filepath.Join(l.dir, "config.yaml")
	config := strings.Replace(logConfig, "{sqlite: {path: store.db}}", fmt.Sprintf("{postgres: {dsn: '%s'}}", server.DSN("postgres")), 1)
	if err := os.WriteFile(target, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	copyStore := func(wantExit int, want string, args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		got := runProgram(t.Context(), append([]string{"store", "copy"}, args...), &out, &errs)
		if text := out.String() + errs.String(); got != wantExit || !strings.Contains(text, want) {
			t.Errorf("%q: exit %d, want %d and %q:\n%s", args, got, wantExit, want, text)
		}
	}
	copyStore(2, "no configuration is named to copy to", "--config", sqlite)
	copyStore(2, "does not name a database", "--config", sqlite, "--to", sqlite)
	copyStore(4, "another process uses the store", "--config", sqlite, "--to", target)
	if err := l.store.Close(); err != nil {
		t.Fatal(err)
	}
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	var told bytes.Buffer
	if got := runProgram(interrupted, []string{"store", "copy", "--config", sqlite, "--to", target}, io.Discard, &told); got != 4 || !strings.Contains(told.String(), "run the same command again") {
		t.Errorf("interrupted: exit %d, %s", got, told.String())
	}
	copyStore(0, "read back and the same", "--config", sqlite, "--to", target)
	copyStore(0, "before; the copy is complete", "--config", sqlite, "--to", target)

	var out, errs bytes.Buffer
	if got := runProgram(t.Context(), []string{"log", "list", "--config", sqlite}, &out, &errs); got != 2 || !strings.Contains(errs.String(), "goes on elsewhere") {
		t.Errorf("the file is still used: exit %d, %s%s", got, out.String(), errs.String())
	}
	out.Reset()
	errs.Reset()
	if got := runProgram(t.Context(), []string{"log", "list", "--config", target}, &out, &errs); got != 0 || !strings.Contains(out.String(), "old") {
		t.Errorf("exit %d, %s%s", got, out.String(), errs.String())
	}
}
