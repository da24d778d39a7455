// SPDX-License-Identifier: Apache-2.0

package storetest

import "testing"

var incarnationTests = map[string]func(*testing.T, opener){
	// Each opening is another life of the store. How one is restored depends on the engine, so
	// that is the driver's own test.
	"Incarnation": func(t *testing.T, open opener) {
		s, reopen := open(t, 0)
		seen := make(map[string]bool)
		for range 4 {
			i := s.Incarnation()
			if i.ID == "" || seen[i.ID] || i.Restored {
				t.Errorf("incarnation is %+v", i)
			}
			if again := s.Incarnation(); again != i {
				t.Errorf("incarnation is %+v, then %+v", i, again)
			}
			seen[i.ID] = true
			s = reopen()
		}
	},
}
