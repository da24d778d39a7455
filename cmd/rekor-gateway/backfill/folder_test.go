// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"slices"
	"strings"
	"testing"
)

// TestIsAlone: no signature is alone beside another over the same file, whatever their names are parted into by themselves.
func TestIsAlone(t *testing.T) {
	for _, base := range []string{"app", "app.pem", "app.tar.gz", "app.sigstore"} {
		for _, one := range suffixes {
			for _, other := range suffixes {
				names := []string{base + one.text, base + other.text}
				slices.Sort(names)
				f := &folder{read: true}
				for _, name := range slices.Compact(append(names, "app", "apple.asc", "z.sig")) {
					f.entries = append(f.entries, entry{name: name})
				}
				slices.SortFunc(f.entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
				name := base + one.text
				if cut, _ := CutSuffix(name); cut != base {
					continue // it is over another file
				}
				if got := f.isAlone(name); got != (one == other) {
					t.Errorf("%s beside %s: %v", name, base+other.text, got)
				}
			}
		}
	}
}
