// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// TestDivide: the parts of a whole add up to it, and a rate goes with a burst.
func TestDivide(t *testing.T) {
	t.Parallel()
	for _, whole := range []gateway.Share{{}, {InFlight: 10}, {InFlight: 1, Rate: 1, Burst: 1}, {Rate: 40_000, Burst: 10}, {InFlight: 7, Rate: 99_999, Burst: 3}} {
		for n := 1; n < 12; n++ {
			var sum gateway.Share
			for rank := range n {
				part := whole.Divide(n, rank)
				sum = sum.Plus(part)
				if (part.Burst == 0) != (part.Rate == 0) && whole.Rate >= int64(n) || part.InFlight < whole.InFlight/int64(n) {
					t.Errorf("%+v of %+v for number %d of %d", part, whole, rank, n)
				}
			}
			if sum != whole {
				t.Errorf("%+v among %d: %+v", whole, n, sum)
			}
		}
	}
	if a, b := (gateway.Share{InFlight: 10}).Divide(3, 0), (gateway.Share{InFlight: 10}).Divide(3, 2); a.InFlight != 4 || b.InFlight != 3 {
		t.Errorf("ten among three: %+v, %+v", a, b)
	}
}
