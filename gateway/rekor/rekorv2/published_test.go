// SPDX-License-Identifier: Apache-2.0

package rekorv2

import (
	"math"
	"testing"
)

// A tree has the tiles that tlog-tiles says, of any size and whatever is asked for.
func TestHasTile(t *testing.T) {
	for _, test := range []struct {
		size, level, index uint64
		partial            uint8
		want               bool
	}{
		{0, 0, 0, 0, false},
		{0, 0, 0, 1, false},
		{1, 0, 0, 1, true},
		{1, 0, 0, 2, false},
		{1, 0, 0, 0, false},
		{255, 0, 0, 255, true},
		{256, 0, 0, 0, true},
		{256, 0, 0, 7, true},
		{256, 0, 1, 1, false},
		{257, 0, 1, 1, true},
		{256, 1, 0, 1, true},
		{256, 1, 0, 2, false},
		{65535, 1, 0, 0, false},
		{65536, 1, 0, 0, true},
		{65536, 2, 0, 1, true},
		{math.MaxUint64, 7, 0, 255, true},
		{math.MaxUint64, 8, 0, 1, false},
		{math.MaxUint64, 63, 0, 1, false},
		{math.MaxUint64, 1 << 61, 0, 1, false},
		{math.MaxUint64, 0, math.MaxUint64, 1, false},
		{math.MaxUint64, 0, math.MaxUint64 / 256, 255, true},
	} {
		if got := hasTile(test.size, test.level, test.index, test.partial); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}
