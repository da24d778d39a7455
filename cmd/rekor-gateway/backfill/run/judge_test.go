// SPDX-License-Identifier: Apache-2.0

package run

import (
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// TestHintHistorical: an expired key may have been extended, which no --historical is needed for.
func TestHintHistorical(t *testing.T) {
	for missing, old := range map[formats.Exceptions]bool{formats.ExceptionSHA1: false, formats.ExceptionExpiredKey: true, formats.ExceptionExpiredKey | formats.ExceptionDSA: true} {
		hint := hintHistorical(missing)
		if strings.Contains(hint, "get it again") != old || !strings.HasSuffix(hint, "--historical "+missing.String()) {
			t.Errorf("%v: %s", missing, hint)
		}
	}
}
