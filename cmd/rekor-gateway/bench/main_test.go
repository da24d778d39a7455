// SPDX-License-Identifier: Apache-2.0

//go:build bench

// Package bench measures a gateway beside what it stands on: a bare gRPC writer to the same real Rekor v2 log, a bare
// loop that verifies and inserts the same rows, and a writer that does no more than a gateway must. All take turns in one run, so that their
// ratios mean something on a machine that is busy with other things. The gateway and the log are processes of their own; what each of
// the three spends is told apart by the system.
package bench

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"regexp"
	"runtime/pprof"
	"syscall"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
)

var (
	tablePath  = flag.String("table", "", "write the Markdown table to this `FILE`, too")
	only       = flag.String("only", "", "measure only those whose name this regular expression matches")
	profileDir = flag.String("profile", "", "write a CPU profile of each gateway and each backfill into this `FOLDER`")
	full       = flag.Bool("full", os.Getenv("BENCH") == "full", "measure with 1,000,000 submissions stored, too")
	scale      = flag.Float64("scale", 1, "measure with so many times the usual number of submissions")
	rounds     = flag.Int("rounds", 2, "how often the gateway and what it is compared with take turns")
)

// In the environment of the process that is the gateway.
const (
	configEnv  = "REKOR_GATEWAY_BENCH_CONFIG"
	profileEnv = "REKOR_GATEWAY_BENCH_PROFILE"
	// commandProfileEnv is in that of the command.
	commandProfileEnv = "REKOR_GATEWAY_BENCH_COMMAND_PROFILE"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(configEnv); path != "" {
		if err := serve(path); err != nil {
			slog.Error("serving", "error", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(postgrestest.Main(m))
}

// serve is `rekor-gateway serve`, with a CPU profile of its whole life when one is asked for.
func serve(path string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if profile := os.Getenv(profileEnv); profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	server.PrepareProcess(cfg.Limits)
	s, err := server.Build(ctx, cfg, server.Options{Logger: slog.New(slog.NewJSONHandler(os.Stderr, nil)), Version: "bench"})
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

// TestBench measures everything and prints a table.
func TestBench(t *testing.T) {
	wanted := regexp.MustCompile(*only)
	r := &report{}
	for _, m := range []struct {
		name    string
		measure func(*testing.T, *report)
	}{
		{"logged", measureLogged},
		{"rekorapi", measureRekorAPI},
		{"accepted", measureAccepted},
		{"access", measureAccess},
		{"share", measureShare},
		{"watchers", measureWatchers},
		{"stored", measureStored},
		{"postgres", measurePostgres},
	} {
		if wanted.MatchString(m.name) {
			t.Run(m.name, func(t *testing.T) { m.measure(t, r) })
		}
	}
	text := r.format()
	t.Logf("\n%s", text)
	if *tablePath != "" {
		if err := os.WriteFile(*tablePath, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// scaled returns how many submissions stand for n.
func scaled(n int) int { return max(1, int(float64(n)**scale)) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
