// SPDX-License-Identifier: Apache-2.0

//go:build bench

package bench

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// formatTarget returns the target, and whether it was missed. A target has parts as "≥ 0.95", "≤ 1.2 at 1,000,000" or "< 300 MiB"; one with a unit is for the figure
// of the gateway, any other for the ratio, as they are printed. What reads otherwise is for people.
func (r row) formatTarget() string {
	for part := range strings.SplitSeq(r.target, "; ") {
		if r.misses(part) {
			return r.target + ", **missed**"
		}
	}
	return r.target
}

func (r row) misses(target string) bool {
	words, figure := strings.Fields(target), strings.Fields(r.gateway)
	if len(words) < 2 {
		return false
	}
	bound, err := strconv.ParseFloat(words[1], 64)
	if err != nil {
		return false
	}
	value := fmt.Sprintf("%.2f", r.ratio)
	if len(words) == 3 && len(figure) == 2 && words[2] == figure[1] {
		value = figure[0]
	} else if r.ratio == 0 {
		return false
	}
	is, err := strconv.ParseFloat(value, 64)
	return err == nil && (words[0] == "≥" && is < bound || words[0] == "≤" && is > bound || words[0] == "<" && is >= bound)
}

// TestTargets: what is missed is said to be.
func TestTargets(t *testing.T) {
	for _, c := range []struct {
		row    row
		missed bool
	}{
		{row{gateway: "180/s", ratio: 0.949, target: "≥ 0.95"}, false},
		{row{gateway: "180/s", ratio: 0.944, target: "≥ 0.95"}, true},
		{row{gateway: "0.6 ms", ratio: 1.6, target: "≤ 1.5"}, true},
		{row{gateway: "0.6 ms", ratio: 1.1, target: "≤ 1.2 at 1,000,000"}, false},
		{row{gateway: "0.6 ms", ratio: 1.3, target: "≤ 1.2 at 1,000,000"}, true},
		{row{gateway: "7043/s", ratio: 0.79, target: "≥ 5,000/s; ≥ 0.7"}, false},
		{row{gateway: "7043/s", ratio: 0.69, target: "≥ 5,000/s; ≥ 0.7"}, true},
		{row{gateway: "299 MiB", target: "< 300 MiB"}, false},
		{row{gateway: "300 MiB", target: "< 300 MiB"}, true},
		{row{gateway: "25.001 ms", target: "≤ 25 ms"}, true},
		{row{gateway: "25.000 ms", ratio: 30, target: "≤ 25 ms"}, false},
		{row{gateway: "47 ms", target: "10,000 watchers on one process"}, false},
		{row{gateway: "1091/s", ratio: 0.97, target: "no errors"}, false},
		{row{gateway: "47 ms"}, false},
	} {
		if missed := c.row.formatTarget() != c.row.target; missed != c.missed {
			t.Errorf("%+v: missed is %v", c.row, missed)
		}
	}
}
