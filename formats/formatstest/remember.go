// SPDX-License-Identifier: Apache-2.0

package formatstest

import (
	"flag"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// RunRemembering runs tests with what was found good remembered, as gateways and backfills have: no verdict changes by that. Benchmarks compute all.
func RunRemembering(m *testing.M) (code int) {
	flag.Parse()
	if flag.Lookup("test.bench").Value.String() == "" {
		_ = formats.RememberChecks(4096) // fails for a memory of nothing
	}
	return m.Run()
}
