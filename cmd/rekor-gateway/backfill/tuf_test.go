// SPDX-License-Identifier: Apache-2.0

package backfill

import "testing"

// TestScanTUF pairs metadata with what names its keys.
func TestScanTUF(t *testing.T) {
	tests := map[string]struct {
		files map[string]string // from formats/tuf
		want  []string
	}{
		"with versions": {
			map[string]string{"1.root.json": "root-1.json", "2.root.json": "root-2.json", "10.root.json": "root-3.json", "targets.json": "targets.json",
				"snapshot.json": "snapshot.json", "releases.json": "releases.json"},
			[]string{
				`"1.root.json" key 1.root.json`, `"10.root.json" key 10.root.json`, `"2.root.json" key 1.root.json key 2.root.json`,
				`"releases.json" key 10.root.json key targets.json`, `"snapshot.json" key 10.root.json`, `"targets.json" key 10.root.json`,
			},
		},
		"without": {
			map[string]string{"root.json": "root-1.json", "timestamp.json": "timestamp.json"},
			[]string{`"root.json" key root.json`, `"timestamp.json" key root.json`},
		},
		"no repository": {map[string]string{"targets.json": "targets.json"}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for to, from := range test.files {
				write(t, dir+"/"+to, readOther(t, "tuf/testdata/"+from))
			}
			write(t, dir+"/package.json", `{"name": "x"}`)
			got, err := collect(dir, Scan([]string{dir}, Options{}))
			if err != nil {
				t.Fatal(err)
			}
			checkLines(t, got, test.want)
		})
	}
}
