// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestArchitectureNamesWhatExists: every file and folder that the table "Where is what" in
// docs/architecture.md names exists. NAME stands for any format.
func TestArchitectureNamesWhatExists(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	paths := listTablePaths(t, string(text), "## Where is what")
	if len(paths) < 40 {
		t.Errorf("only %d paths found in the table", len(paths))
	}
	for _, path := range paths {
		if !pathExists(path) {
			t.Errorf("docs/architecture.md names %s, which does not exist", path)
		}
	}
}

func TestListTablePaths(t *testing.T) {
	t.Parallel()
	const page = "# A\n`before/it`\n## B\n`outside/table`\n| x | `one/file.go`: `Name`, [two.md](two.md), [below](#c) |\n" +
		"| `go run x` | `three/NAME` |\n## C\n| x | `four/file.go` |\n"
	got := strings.Join(listTablePaths(t, page, "## B"), " ")
	if want := "one/file.go docs/two.md three/NAME"; got != want {
		t.Errorf("found %q, want %q", got, want)
	}
	for path, want := range map[string]bool{"gateway/docs_test.go": true, "gateway": true, "formats/NAME": true, "gateway/none.go": false, "gateway/NAME/none.go": false} {
		if pathExists(path) != want {
			t.Errorf("%s exists: %t, want %t", path, !want, want)
		}
	}
}

var tablePath = regexp.MustCompile("`([A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)+)`|\\]\\(([a-z]+\\.md)")

// listTablePaths returns what the tables in a section of a page in docs name: paths in backticks, and
// pages that are linked. They are relative to the repository.
func listTablePaths(t *testing.T, page, heading string) []string {
	t.Helper()
	_, section, ok := strings.Cut(page, "\n"+heading+"\n")
	if !ok {
		t.Fatalf("there is no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var paths []string
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		for _, m := range tablePath.FindAllStringSubmatch(line, -1) {
			if m[1] != "" {
				paths = append(paths, m[1])
			} else {
				paths = append(paths, "docs/"+m[2])
			}
		}
	}
	return paths
}

// pathExists reports whether a path relative to the repository exists.
func pathExists(path string) bool {
	found, err := filepath.Glob(filepath.Join("..", strings.ReplaceAll(path, "NAME", "*")))
	return err == nil && len(found) > 0
}
