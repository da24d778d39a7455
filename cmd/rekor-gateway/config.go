// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

func newConfig(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Check or explain a configuration file, print an example, or make a token",
		Long: `config helps with the file that serve reads. Every field of it is described in
docs/configuration.md.`,
		Example: `  rekor-gateway config example > config.yaml
  rekor-gateway config check --config config.yaml
  rekor-gateway config explain --config config.yaml --caller build-farm
  rekor-gateway config token build-farm > token`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newConfigCheck(g), newConfigExample(), newConfigExplain(g), newConfigToken(g))
	return c
}

func newConfigCheck(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "check",
		Short: "Say whether serve would take a configuration",
		Long: `check reads a configuration file and every file that it names, as serve does, and fails with the
first thing wrong. It listens nowhere, and opens and makes nothing. Of logs that come from a signing config it says where they are; a
TUF repository is asked only where its cache does not do, and a log of Rekor v1 which tree it writes to.`,
		Example: "  rekor-gateway config check --config /etc/rekor-gateway/config.yaml",
		Args:    noArguments,
	}
	path := c.Flags().String("config", "", "configuration `FILE`")
	requireFlags(c, "config")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return checkConfig(c.Context(), *path, g.isJSON(), c.OutOrStdout())
	}
	return c
}

func checkConfig(ctx context.Context, path string, asJSON bool, out io.Writer) error {
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	logs, err := server.CheckLogs(ctx, cfg)
	if err != nil {
		return blameConfig(err)
	}
	if asJSON {
		return output.JSON(out, map[string]any{"config": path, "ok": true, "logs": logs})
	}
	output.Line(out, "%s is in order", path)
	for i := range logs {
		showSource(out, &logs[i])
	}
	return nil
}

// showSource says where a log is that the configuration does not describe itself.
func showSource(out io.Writer, l *server.CheckedLog) {
	if l.Source == "" {
		return
	}
	until := ""
	if l.Until != nil {
		until = " until " + l.Until.UTC().Format(time.RFC3339)
	}
	tree := ""
	if _, id, ok := trustroot.SplitRekorV1(l.Origin); ok {
		tree = fmt.Sprintf(" in tree %d", id)
	}
	output.Line(out, "log %s (%s) is written to at %s%s%s", l.ID, l.Source, l.URL, tree, until)
}

// blameConfig keeps what is said of a file that the configuration names from passing for an answer about a submission: serve
// cannot start with it, whatever is wrong.
func blameConfig(err error) error {
	var refusal *formats.Error
	if errors.As(err, &refusal) && fault.ExitCodeOf(refusal.Reason) == exitNo {
		return fault.Rename(err, fault.ReasonFailed)
	}
	return err
}

func newConfigExample() *cobra.Command {
	return &cobra.Command{
		Use:   "example",
		Short: "Print a configuration file with every field",
		Long: `example prints a configuration file with every field and what it is for. What is optional is
commented out, with its default or an example.`,
		Example: "  rekor-gateway config example > config.yaml",
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := io.WriteString(c.OutOrStdout(), config.Example())
			return err
		},
	}
}
