// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
)

func newServe() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run a gateway from a configuration file",
		Long: `serve runs a gateway until it is interrupted, then lets what is under way finish. SIGHUP has it
read the configuration again, and use its callers, certificates, policy, trusted root and logs.
Every field of the configuration file is described in docs/configuration.md.`,
		Example: "  rekor-gateway serve --config /etc/rekor-gateway/config.yaml",
		Args:    noArguments,
	}
	path := c.Flags().String("config", "", "configuration `FILE`")
	requireFlags(c, "config")
	c.RunE = func(c *cobra.Command, _ []string) error { return runServe(c.Context(), *path, c.ErrOrStderr()) }
	return c
}

func runServe(ctx context.Context, path string, logs io.Writer) error {
	hangups := make(chan os.Signal, 1) // from the first moment on: by default they end the process
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	seen := stateOf(path)
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	files := watchFiles(path, seen, cfg)
	logger := newLogger(logs, cfg.Logging)
	server.PrepareProcess(cfg.Limits)
	s, err := server.Build(ctx, cfg, server.Options{Logger: logger, Version: readBuildInfo().Version})
	if err != nil {
		return fmt.Errorf("starting: %w", blameConfig(err))
	}
	ctx, stop := context.WithCancel(ctx)
	leave := runInBackground(func() { reloadOnSignal(ctx, s, path, hangups, logger) })
	defer leave()
	leaveFollowing := runInBackground(func() { followCallers(ctx, s, files, logger) })
	defer leaveFollowing()
	defer stop()
	return s.Run(ctx)
}

// leaveAfter bounds how long the end waits for a reload that is under way.
const leaveAfter = 2 * time.Second

// runInBackground runs f in the background. What it returns waits for its end, but not for ever: f may be reading a file that does
// not end, such as a pipe that nobody writes to, and there is nothing then that would end it.
func runInBackground(f func()) (leave func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return func() {
		select {
		case <-done:
		case <-time.After(leaveAfter):
		}
	}
}

// reloadOnSignal reads the configuration again at each signal, until ctx ends. A faulty one changes nothing.
func reloadOnSignal(ctx context.Context, s *server.Server, path string, signals <-chan os.Signal, logger *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
		}
		if err := s.ReopenAudit(); err != nil {
			logger.Error("the audit trail goes on in the file that was open", "error", err)
		}
		err := reload(ctx, s, path)
		s.NoteReload(server.ReloadedAll, err)
		if err != nil {
			logger.Error("the configuration was not read again; the one before stays in use", "error", err)
		}
	}
}

// reload refuses a pipe, say, in the place of the configuration: no reload would come after one that reads it for ever.
func reload(ctx context.Context, s *server.Server, path string) error {
	if state := stateOf(path); state.info != nil && !state.isRegular() {
		return fmt.Errorf("%s is not a file", path)
	}
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	return s.Reload(ctx, cfg)
}

// newLogger follows what config has checked.
func newLogger(w io.Writer, l config.Logging) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.Level))
	options := &slog.HandlerOptions{Level: level}
	if l.Format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}
