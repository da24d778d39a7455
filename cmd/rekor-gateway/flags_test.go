// SPDX-License-Identifier: Apache-2.0

package main

import (
	"regexp"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The command line takes no secret itself: every user of the machine sees the arguments of its processes.
func TestNoFlagTakesASecret(t *testing.T) {
	secret, where := regexp.MustCompile(`token|password|secret|dsn`), regexp.MustCompile(`-(file|env)$`)
	found := 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, flags := range []*pflag.FlagSet{c.Flags(), c.PersistentFlags()} {
			flags.VisitAll(func(f *pflag.Flag) {
				if !secret.MatchString(f.Name) || f.Name == "page-token" {
					return
				}
				found++
				if !where.MatchString(f.Name) && f.Value.Type() != "bool" {
					t.Errorf("%s --%s takes a secret: take the name of a file, or of a variable of the environment", c.CommandPath(), f.Name)
				}
			})
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(new(globals)))
	if found == 0 {
		t.Error("no flag has to do with secrets")
	}
}
