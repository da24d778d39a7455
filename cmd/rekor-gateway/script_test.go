// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// TestMain lets more tests run at once than there are processors: those that do mostly wait.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"rekor-gateway": func() { os.Exit(Main()) }})
}

// TestScripts runs what needs no log.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Setup: setup, RequireExplicitExec: true, RequireUniqueNames: true})
}

// TestScriptsWithLog runs what starts a real local log.
func TestScriptsWithLog(t *testing.T) {
	t.Setenv("REKOR_SERVER", rekortest.Binary(t))
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script/log", Setup: setup, RequireExplicitExec: true, RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"ready": ready},
	})
}

// setup gives scripts the files that testdata/make.sh made, as $DATA, and the receipts that are kept, as $CORPUS.
func setup(env *testscript.Env) error {
	data, err := filepath.Abs("testdata/offline")
	if err != nil {
		return err
	}
	corpus, err := filepath.Abs("../../gateway/receipt/testdata/corpus")
	if err != nil {
		return err
	}
	env.Setenv("DATA", data)
	env.Setenv("CORPUS", corpus)
	env.Setenv("REKOR_SERVER", os.Getenv("REKOR_SERVER"))
	return nil
}

// ready FILE waits for a ready file and sets $HTTP, $GRPC and $ADMIN.
func ready(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready FILE")
	}
	var raw []byte
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		var err error
		if raw, err = os.ReadFile(ts.MkAbs(args[0])); err == nil {
			break
		}
		if time.Now().After(deadline) {
			ts.Fatalf("nothing is ready: %v", err)
		}
	}
	var r readiness
	ts.Check(json.Unmarshal(raw, &r))
	ts.Setenv("HTTP", r.HTTP)
	ts.Setenv("GRPC", r.GRPC)
	ts.Setenv("ADMIN", r.Admin)
}
