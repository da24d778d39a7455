// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// globals are the flags that every command has.
type globals struct {
	output format
	quiet  bool
}

// addFlags adds them to the root, which hands them down.
func (g *globals) addFlags(root *cobra.Command) {
	g.output = outputText
	root.PersistentFlags().Var(&g.output, "output", "how to print results")
	root.PersistentFlags().BoolVar(&g.quiet, "quiet", false, "no notes, no progress; of results as text, ids alone")
	completeFlag(root, "output", string(outputText), string(outputJSON))
}

// isJSON reports whether results are printed as JSON.
func (g *globals) isJSON() bool { return g.output == outputJSON }

// notes is where a command says what is no result.
func (g *globals) notes(c *cobra.Command) io.Writer {
	if g.quiet {
		return io.Discard
	}
	return c.ErrOrStderr()
}

func newRoot(g *globals) *cobra.Command {
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
		Version:       readBuildInfo().Version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error { return readEnvironment(c) }
	root.SetVersionTemplate(readBuildInfo().String() + "\n")
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(newDev(g), newServe(), newConfig(g), newStore(g), newLog(g), newPlan(g), newSubmit(g), newBackfill(g), newGet(g), newList(g), newVerify(g), newFormats(g), newVersion(g))
	g.addFlags(root)
	addCompletion(root)
	forEachCommand(root, nameEnvironment)
	forEachCommand(root, refuseTwice)
	return root
}

// forEachCommand calls visit for c and all below it.
func forEachCommand(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, sub := range c.Commands() {
		forEachCommand(sub, visit)
	}
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
	var twice *twiceError
	if errors.As(err, &twice) {
		return withHint(twice, "give it once; flags that can be repeated say so in: %s --help", c.CommandPath())
	}
	if strings.Contains(err.Error(), "missing unit in duration") {
		return withHint(err, "write the unit, too: 30s, 2m")
	}
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

// requireFlags marks flags that a command cannot do without.
func requireFlags(c *cobra.Command, names ...string) {
	for _, n := range names {
		if err := c.MarkFlagRequired(n); err != nil {
			panic(err) // a flag that the program does not have
		}
	}
}
