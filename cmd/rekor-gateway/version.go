// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion() *cobra.Command {
	c := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  rekor-gateway version --output json",
		Args:    noArguments,
	}
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		v := readBuildInfo()
		if *output == outputJSON {
			return printJSON(c.OutOrStdout(), v)
		}
		printLine(c.OutOrStdout(), "rekor-gateway %s (commit %s, %s)", v.Version, v.Commit, v.Go)
		return nil
	}
	return c
}

// built is the version, commit and Go release of this program.
type built struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
}

func readBuildInfo() built {
	v := built{Version: "unknown", Commit: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version, v.Go = info.Main.Version, info.GoVersion
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Commit = s.Value
		}
	}
	return v
}
