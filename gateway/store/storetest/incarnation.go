// SPDX-License-Identifier: Apache-2.0

package storetest

import "testing"

var incarnationTests = map[string]func(*testing.T, opener){
	// An opening says the same all along, and nothing is restored. How a store is restored, and what names one of its lives,
	// depends on the engine, so that is the driver's own test.
	"Incarnation": func(t *testing.T, open opener) {
		s, reopen := open(t, 0)
		for range 4 {
			i := s.Incarnation()
			if i.ID == "" || i.Restored || i.Copied {
				t.Errorf("incarnation is %+v", i)
			}
			if again := s.Incarnation(); again != i {
				t.Errorf("incarnation is %+v, then %+v", i, again)
			}
			s = reopen()
		}
	},
}
