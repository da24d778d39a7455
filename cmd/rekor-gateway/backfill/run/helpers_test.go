// SPDX-License-Identifier: Apache-2.0

package run

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// offline is a file of the commands' tests.
func offline(name string) string { return filepath.Join("../../testdata/offline", name) }

// copyFile copies a file of the tests' own.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	if err := os.WriteFile(to, must(os.ReadFile(from)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// makeTree makes n times the same signature over the same file.
func makeTree(t *testing.T, n int) string {
	t.Helper()
	tree := t.TempDir()
	for i := range n {
		if err := os.Mkdir(filepath.Join(tree, fmt.Sprint(i)), 0o755); err != nil {
			t.Fatal(err)
		}
		copyFile(t, offline("artifact"), filepath.Join(tree, fmt.Sprint(i), "app"))
		copyFile(t, offline("x509.sig"), filepath.Join(tree, fmt.Sprint(i), "app.sig"))
	}
	return tree
}
