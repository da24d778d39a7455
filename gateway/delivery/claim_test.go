// SPDX-License-Identifier: Apache-2.0

package delivery

import "testing"

// TestClaimSize: slots are taken for about as many entries as come, and for all that there may be where they do not end.
func TestClaimSize(t *testing.T) {
	for _, test := range []struct{ brought, wanted, want int }{
		{0, claimLimit, leastClaim},
		{1, leastClaim, leastClaim},
		{200, leastClaim, 400},
		{leastClaim, leastClaim, claimLimit},
		{24, 24, claimLimit}, // as many as might be under way
		{claimLimit - 1, claimLimit, claimLimit},
	} {
		if got := nextClaimSize(test.brought, test.wanted); got != test.want {
			t.Errorf("%d of %d brought: then %d, want %d", test.brought, test.wanted, got, test.want)
		}
	}
}
