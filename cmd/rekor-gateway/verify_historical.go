// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

const (
	historicalFlag = "allow-historical"
	historicalWish = "historical" // of backfill
	allExceptions  = "all"
)

// exceptionsFlag is --allow-historical: a list of exceptions, or all of them when nothing is said. Earlier releases had no
// list, so true and false are taken, too.
type exceptionsFlag struct{ set formats.Exceptions }

func (f *exceptionsFlag) addFlag(c *cobra.Command) {
	c.Flags().Var(f, historicalFlag, "accept these weaknesses that the gateway's historical policy let pass: `"+exceptionsUsage()+"`; all of them when not said")
	c.Flags().Lookup(historicalFlag).NoOptDefVal = allExceptions
}

func exceptionsUsage() string { return strings.Join(formats.ExceptionNames(), ",") }

// String implements pflag.Value.
func (f *exceptionsFlag) String() string {
	if f.set == 0 {
		return ""
	}
	return f.set.String()
}

// Type implements pflag.Value.
func (*exceptionsFlag) Type() string { return "exceptions" }

// Set implements pflag.Value. What is said several times adds up.
func (f *exceptionsFlag) Set(s string) error {
	switch s {
	case allExceptions, "true":
		f.set = formats.AllExceptions
		return nil
	case "false":
		f.set = 0
		return nil
	}
	set, err := parseExceptions(s)
	f.set |= set
	return err
}

// parseExceptions takes a list of names as people write them: sha-1 is SHA1, and expired-key is EXPIRED_KEY.
func parseExceptions(list string) (formats.Exceptions, error) {
	plain := func(name string) string { return strings.NewReplacer("-", "", "_", "").Replace(strings.ToUpper(name)) }
	names := strings.Split(list, ",")
	for i, written := range names {
		for _, name := range formats.ExceptionNames() {
			if plain(written) == plain(name) {
				names[i] = name
			}
		}
	}
	return formats.ParseExceptions(names)
}

// joinExceptions joins --allow-historical and --historical with a list of exceptions that follows it. The library takes what follows a
// flag that may stand alone for a file; a file of such a name is given as ./sha1.
func joinExceptions(args []string) []string {
	var out []string
	for i, a := range args {
		if a == "--" {
			return append(out, args[i:]...)
		}
		if i > 0 && (args[i-1] == "--"+historicalFlag || args[i-1] == "--"+historicalWish) {
			if _, err := parseExceptions(a); err == nil {
				out[len(out)-1] += "=" + a
				continue
			}
		}
		out = append(out, a)
	}
	return out
}
