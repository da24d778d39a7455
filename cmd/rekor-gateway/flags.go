// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// environmentPrefix begins the variables that stand for flags: REKOR_GATEWAY_CA_FILE for --ca-file.
const environmentPrefix = "REKOR_GATEWAY_"

// environmentFlags are the flags that can come from the environment: how to reach a gateway, what to trust,
// how to print. None of those is among them that say what is signed, or that make a check weaker.
var environmentFlags = []string{
	"server", "token-file", "oidc", "oidc-audience", "oidc-env", "oidc-file", "ca-file", "client-cert", "client-key", "trusted-root", "gateway-trust", "output", "quiet",
}

func environmentName(flag string) string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// nameEnvironment adds the variable to the help text of each flag that has one.
func nameEnvironment(c *cobra.Command) {
	name := func(f *pflag.Flag) {
		if slices.Contains(environmentFlags, f.Name) {
			f.Usage += " [$" + environmentName(f.Name) + "]"
		}
	}
	c.LocalNonPersistentFlags().VisitAll(name)
	c.PersistentFlags().VisitAll(name)
}

// readEnvironment sets the flags that the command line does not.
func readEnvironment(c *cobra.Command) error {
	for _, name := range environmentFlags {
		f := c.Flags().Lookup(name)
		value := os.Getenv(environmentName(name))
		if f == nil || f.Changed || value == "" {
			continue
		}
		if err := c.Flags().Set(name, value); err != nil {
			return withHint(fmt.Errorf("reading $%s: %w", environmentName(name), err), "see: %s --help", c.CommandPath())
		}
	}
	return nil
}

// onceValue is a flag that may be given once: the second of two values that contradict each other would
// win without a word.
type onceValue struct {
	pflag.Value
	name  string
	given bool
}

// twiceError says that a flag was given twice.
type twiceError struct{ name string }

func (e *twiceError) Error() string { return "--" + e.name + " is given twice" }

// Set implements pflag.Value.
func (v *onceValue) Set(s string) error {
	if v.given {
		return &twiceError{v.name}
	}
	v.given = true
	return v.Value.Set(s)
}

// refuseTwice makes every flag of c refuse a second value, but for those that collect values.
func refuseTwice(c *cobra.Command) {
	once := func(f *pflag.Flag) {
		_, collects := f.Value.(pflag.SliceValue)
		if _, done := f.Value.(*onceValue); !collects && !done {
			f.Value = &onceValue{Value: f.Value, name: f.Name}
		}
	}
	c.LocalNonPersistentFlags().VisitAll(once)
	c.PersistentFlags().VisitAll(once)
}

// addCompletion adds the command that prints completion scripts.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() != "completion" {
			continue
		}
		c.Example = "  source <(rekor-gateway completion bash)"
		for _, shell := range c.Commands() {
			shell.Example = "  rekor-gateway completion " + shell.Name()
		}
	}
}

// completeFlag makes shells offer values for a flag.
func completeFlag(c *cobra.Command, name string, values ...string) {
	if err := c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // a flag that the program does not have
	}
}

// formatNames are the values of --format.
func formatNames() []string { return all.Formats().Names() }

// representationNames are the values of --representation.
func representationNames() []string {
	return []string{string(gateway.Native), string(gateway.Projected), string(gateway.Attested)}
}

// stateNames are the values of --state.
func stateNames() []string {
	var names []string
	for i := int32(1); pb.Submission_State_name[i] != ""; i++ {
		names = append(names, pb.Submission_State_name[i])
	}
	return names
}
