// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// The flag takes a list in either form, and what earlier releases took.
func TestAllowHistorical(t *testing.T) {
	for line, want := range map[string]struct {
		set   formats.Exceptions
		files []string // nil where the command line is refused
	}{
		"F":                                              {0, []string{"F"}},
		"--allow-historical F":                           {formats.AllExceptions, []string{"F"}},
		"F --allow-historical":                           {formats.AllExceptions, []string{"F"}},
		"--allow-historical=true F":                      {formats.AllExceptions, []string{"F"}},
		"--allow-historical=false F":                     {0, []string{"F"}},
		"--allow-historical SHA1 F":                      {formats.ExceptionSHA1, []string{"F"}},
		"--allow-historical=SHA1 F":                      {formats.ExceptionSHA1, []string{"F"}},
		"F --allow-historical SHA1,DSA":                  {formats.ExceptionSHA1 | formats.ExceptionDSA, []string{"F"}},
		"--allow-historical sha-1 F":                     {formats.ExceptionSHA1, []string{"F"}},
		"--allow-historical=sha1,Expired-Key F":          {formats.ExceptionSHA1 | formats.ExceptionExpiredKey, []string{"F"}},
		"--allow-historical expired_metadata,v3 F":       {formats.ExceptionExpiredMetadata | formats.ExceptionV3, []string{"F"}},
		"--allow-historical=SHA1,MD5 F":                  {},
		"--allow-historical=sha-11 F":                    {},
		"--allow-historical=- F":                         {},
		"--allow-historical= F":                          {},
		"--allow-historical ./SHA1":                      {formats.AllExceptions, []string{"./SHA1"}},
		"-- --allow-historical SHA1":                     {0, []string{"--allow-historical", "SHA1"}},
		"--allow-historical SHA1 DSA":                    {formats.ExceptionSHA1, []string{"DSA"}},
		"--allow-historical V3 --allow-historical DSA F": {formats.ExceptionV3 | formats.ExceptionDSA, []string{"F"}},
	} {
		var f exceptionsFlag
		var files []string
		c := &cobra.Command{SilenceErrors: true, SilenceUsage: true, RunE: func(_ *cobra.Command, args []string) error { files = args; return nil }}
		f.addFlag(c)
		c.SetArgs(joinExceptions(strings.Fields(line)))
		err := c.Execute()
		if (err == nil) != (want.files != nil) || err == nil && (f.set != want.set || !slices.Equal(files, want.files)) {
			t.Errorf("%s: %v, files %q: %v", line, f.set, files, err)
		}
	}
}
