// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
)

func newFormats(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:     "formats",
		Short:   "List the signature formats this program knows",
		Example: "  rekor-gateway formats",
		Args:    noArguments,
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		names := all.Formats().Names()
		if g.isJSON() {
			return output.JSON(c.OutOrStdout(), map[string][]string{"formats": names})
		}
		for _, n := range names {
			output.Line(c.OutOrStdout(), "%s", n)
		}
		return nil
	}
	return c
}
