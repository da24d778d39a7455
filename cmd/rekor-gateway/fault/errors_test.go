// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"errors"
	"fmt"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// TestDescribeSaysReasonOnce: the reason stands beside the message, and not in it too, whatever was being done.
func TestDescribeSaysReasonOnce(t *testing.T) {
	unknown := formats.NewError("UNKNOWN_LOG", "no such log", "look again")
	for _, c := range []struct {
		err           error
		reason        formats.Reason
		message, hint string
	}{
		{unknown, "UNKNOWN_LOG", "no such log", "look again"},
		{fmt.Errorf("verifying the receipt: %w", unknown), "UNKNOWN_LOG", "verifying the receipt: no such log", "look again"},
		{fmt.Errorf("verifying the receipt: %w", formats.NewError("UNKNOWN_LOG", "it says NOT_LOGGED: why", "")), "UNKNOWN_LOG", "verifying the receipt: it says NOT_LOGGED: why", ""},
		{errors.New("a: b: c"), "", "a: b: c", ""},
	} {
		f := Describe(c.err)
		if f.Message != c.message || c.reason != "" && (f.Reason != c.reason || f.Hint != c.hint) {
			t.Errorf("%v: %+v", c.err, f)
		}
	}
}
