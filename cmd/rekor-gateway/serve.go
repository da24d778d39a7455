// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
)

func newServe() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run a gateway from a configuration file",
		Long: `serve runs a gateway until it is interrupted, then lets what is under way finish.
Every field of the configuration file is described in docs/configuration.md.`,
		Example: "  rekor-gateway serve --config /etc/rekor-gateway/config.yaml",
		Args:    noArguments,
	}
	path := c.Flags().String("config", "", "configuration `FILE`")
	requireFlags(c, "config")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := config.Load(*path)
		if err != nil {
			return err
		}
		logger := newLogger(c.ErrOrStderr(), cfg.Logging)
		server.LimitMemory(cfg.Limits)
		s, err := server.Build(c.Context(), cfg, server.Options{Logger: logger, Version: readBuildInfo().Version})
		if err != nil {
			return fmt.Errorf("starting: %w", err)
		}
		return s.Run(c.Context())
	}
	return c
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
