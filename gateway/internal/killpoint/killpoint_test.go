// SPDX-License-Identifier: Apache-2.0

package killpoint

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryPointIsReached holds All to the calls of Reach in the gateway's code: a point that no
// code reaches, or one that All leaves out, would not be tested.
func TestEveryPointIsReached(t *testing.T) {
	call := regexp.MustCompile(`killpoint\.Reach\(killpoint\.(\w+)\)`)
	declared := regexp.MustCompile(`(?m)^\t(\w+) Point = "([a-z-]+)"$`)
	source, err := os.ReadFile("killpoint.go")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]Point{}
	for _, m := range declared.FindAllStringSubmatch(string(source), -1) {
		names[m[1]] = Point(m[2])
	}
	var reached []Point
	err = filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		code, err := os.ReadFile(path)
		for _, m := range call.FindAllStringSubmatch(string(code), -1) {
			reached = append(reached, names[m[1]])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range All() {
		if !slices.Contains(reached, p) {
			t.Errorf("no code reaches %q", p)
		}
	}
	if len(names) != len(All()) || len(slices.Compact(slices.Sorted(slices.Values(reached)))) != len(All()) {
		t.Errorf("%d points declared, %d reached, %d in All", len(names), len(reached), len(All()))
	}
}
