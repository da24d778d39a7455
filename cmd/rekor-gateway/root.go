// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "rekor-gateway",
		Short: "Record the signatures you already make in a Rekor transparency log",
		Long: `rekor-gateway takes signatures in the formats that releases are signed with (PGP, minisign,
TUF, plain X.509 keys and more), verifies them strictly, records them in Rekor v2, and gives
back receipts that anyone can verify offline.`,
		Example: `  rekor-gateway dev
  rekor-gateway submit --server http://127.0.0.1:8080 --signature app.tar.gz.asc --key release.asc --artifact app.tar.gz --receipt app.tar.gz.receipt.json`,
		Args:          noArguments,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(newDev(), newServe(), newConfig(), newPlan(), newSubmit(), newVerify(), newFormats(), newVersion())
	return root
}

// noArguments refuses arguments; at the root they are unknown commands.
func noArguments(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if c.HasParent() {
		return withHint(fmt.Errorf("%s takes no argument, and %q is one", c.Name(), args[0]), "see: %s --help", c.CommandPath())
	}
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return withHint(fmt.Errorf("there is no command %q%s", args[0], config.DidYouMean(args[0], names)),
		"use one of: %s", strings.Join(names, ", "))
}

// flagError suggests the flag that was meant.
func flagError(c *cobra.Command, err error) error {
	typed, found := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !found {
		return withHint(err, "see: %s --help", c.CommandPath())
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	suggestion := config.DidYouMean(typed, names)
	suggestion = strings.Replace(suggestion, `"`, `"--`, 1)
	return withHint(fmt.Errorf("there is no flag --%s%s", typed, suggestion), "see: %s --help", c.CommandPath())
}

// format is the value of --output.
type format string

const (
	outputText format = "text"
	outputJSON format = "json"
)

// Set implements pflag.Value.
func (f *format) Set(s string) error {
	if s != string(outputText) && s != string(outputJSON) {
		return fmt.Errorf("%q is neither text nor json", s)
	}
	*f = format(s)
	return nil
}

// String implements pflag.Value.
func (f *format) String() string { return string(*f) }

// Type implements pflag.Value.
func (f *format) Type() string { return "text|json" }

// outputFlag adds --output.
func outputFlag(c *cobra.Command) *format {
	f := outputText
	c.Flags().Var(&f, "output", "how to print results")
	return &f
}

// requireFlags marks flags that a command cannot do without.
func requireFlags(c *cobra.Command, names ...string) {
	for _, n := range names {
		if err := c.MarkFlagRequired(n); err != nil {
			panic(err) // a flag that the program does not have
		}
	}
}
