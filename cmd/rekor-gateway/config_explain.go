// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

func newConfigExplain(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "explain",
		Short: "Say in words what a caller may do, and what he is held to",
		Long: `explain says what a configuration means for one caller: how he shows who he is, his rights, what is accepted of him and what
is refused, by which policy, and where it is recorded. It reads the configuration alone, and none of the files
that it names. Without callers in the configuration, it is about everybody.`,
		Example: "  rekor-gateway config explain --config config.yaml --caller backfill",
		Args:    noArguments,
	}
	path := c.Flags().String("config", "", "configuration `FILE`")
	caller := c.Flags().String("caller", "", "the caller's `NAME`, where there are callers")
	requireFlags(c, "config")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return explainCaller(*path, *caller, g.isJSON(), c.OutOrStdout())
	}
	return c
}

func explainCaller(path, caller string, asJSON bool, out io.Writer) error {
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	sentences, err := cfg.ExplainCaller(caller, all.Formats().Names())
	if err != nil {
		return err
	}
	if asJSON {
		return output.JSON(out, map[string]any{"caller": caller, "sentences": sentences})
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range sentences {
		output.Line(t, "%s\t%s", s.Subject, s.Text)
	}
	return t.Flush()
}
