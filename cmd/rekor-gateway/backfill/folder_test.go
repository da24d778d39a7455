// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestIsBare: no signature is bare beside a receipt of the same file, whichever signature that is of.
func TestIsBare(t *testing.T) {
	for beside, want := range map[string]bool{
		"app.tar":               true,
		"apple.receipt.json":    true,
		"app.receipt.json":      false,
		"app.sig.receipt.json":  false,
		"app.asc.receipt.json":  false,
		"app.Z.asc":             true,
		"app.receipt.json.part": true,
		".Q.receipt.json.part":  false, // wherever in the folder
	} {
		dir := t.TempDir()
		for _, name := range []string{"app", "app.asc", beside, "app.z"} {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		f, err := readFolder(&tree{path: dir}, ".")
		if err != nil {
			t.Fatal(err)
		}
		f.close()
		if _, got := f.lookBeside("app.asc"); got != want {
			t.Errorf("beside %s: %v", beside, got)
		}
	}
	many := &folder{read: true, entries: []entry{{name: "app.asc"}}}
	for range maxBeside {
		many.entries = append(many.entries, entry{name: "app.b"})
	}
	many.entries = append(many.entries, entry{name: "app.receipt.json"})
	for name, f := range map[string]*folder{"a folder that was not read": {entries: []entry{{name: "app.asc"}}}, "one with too many names": many} {
		if alone, bare := f.lookBeside("app.asc"); alone || bare {
			t.Errorf("%s: alone %v, bare %v", name, alone, bare)
		}
	}
}

// TestIsBareWithoutSuffix: what holds its content is bare, too, unless its receipt is there, and not known to be alone.
func TestIsBareWithoutSuffix(t *testing.T) {
	for beside, want := range map[string]bool{"1.root.json": true, "1.root.json.receipt.json": false, "2.root.json.receipt.json": true} {
		f := &folder{read: true, entries: []entry{{name: "1.root.json"}, {name: beside}}}
		slices.SortFunc(f.entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
		if alone, bare := f.lookBeside("1.root.json"); alone || bare != want {
			t.Errorf("beside %s: alone %v, bare %v", beside, alone, bare)
		}
	}
}

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
				if got, _ := f.lookBeside(name); got != (one == other) {
					t.Errorf("%s beside %s: %v", name, base+other.text, got)
				}
			}
		}
	}
}
