// SPDX-License-Identifier: Apache-2.0

package pgp_test

import (
	"flag"
	"os"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// TestMain has what was found good remembered, as gateways and backfills have: no verdict changes by that. Benchmarks compute all.
func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.bench").Value.String() == "" {
		_ = formats.RememberChecks(4096) // fails for a memory of nothing
	}
	os.Exit(m.Run())
}
