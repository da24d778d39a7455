// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
)

func newVersion(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  rekor-gateway version --output json",
		Args:    noArguments,
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		v := readBuildInfo()
		if g.isJSON() {
			return output.JSON(c.OutOrStdout(), v)
		}
		output.Line(c.OutOrStdout(), "%s", v)
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

// String returns it as --version prints it.
func (b built) String() string {
	return fmt.Sprintf("rekor-gateway %s (commit %s, %s)", b.Version, b.Commit, b.Go)
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
