// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// TestChecksAreDocumented: the table in docs/formats.md has each check, and no other.
func TestChecksAreDocumented(t *testing.T) {
	var documented, want []string
	for _, row := range regexp.MustCompile("(?m)^\\| `("+CheckPrefix+"[a-z0-9-]+)` \\|").FindAllStringSubmatch(string(read(t, filepath.Join("..", "..", "docs", "formats.md"))), -1) {
		documented = append(documented, row[1])
	}
	for _, k := range kinds {
		want = append(want, k.check)
	}
	if !slices.Equal(documented, want) {
		t.Errorf("documented %q, want %q", documented, want)
	}
}
