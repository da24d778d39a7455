// SPDX-License-Identifier: Apache-2.0

//go:build bench

package bench

import (
	"math"
	"slices"
	"testing"
)

// medianOf returns the median of values, and the bounds within which the median of all that could be measured lies by a probability of
// some 95 %: the values whose ranks are 0.98 √n from the middle (the sign test's interval, which asks nothing of how values are spread).
func medianOf(values []float64) (median, low, high float64) {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	median = (sorted[(n-1)/2] + sorted[n/2]) / 2
	reach := 0.98 * math.Sqrt(float64(n))
	first := max(0, int(math.Floor(float64(n)/2-reach)))
	return median, sorted[first], sorted[n-1-first]
}

func TestMedianOf(t *testing.T) {
	values := make([]float64, 100)
	for i := range values {
		values[(i*37)%100] = float64(i + 1)
	}
	if median, low, high := medianOf(values); median != 50.5 || low != 41 || high != 60 {
		t.Errorf("%v, %v to %v", median, low, high)
	}
	if median, low, high := medianOf([]float64{3, 1, 2}); median != 2 || low != 1 || high != 3 {
		t.Errorf("%v, %v to %v", median, low, high)
	}
}
