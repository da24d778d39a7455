// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// hintsTable has a row for each hint: the hint, and the situation in which it helps, with a tab between.
const hintsTable = "testdata/hints.tsv"

// TestEveryHintHasItsSituation: every hint that anything prints is in the table, with the situation in which it helps. -update
// adds rows, with what the code says beside the hint as the situation: read them, and ask whether whoever reads
// the hint then can do what it says.
func TestEveryHintHasItsSituation(t *testing.T) {
	found := collectHints(t, "../../formats", "../../gateway", ".")
	for _, known := range []string{ // one of each way in which a hint gets where it is printed
		"sign with: gpg --digest-algo SHA256 --detach-sign FILE", "tell the gateway's operator", "write it as --label release=1.2",
		"send the signer's key alone: gpg --armor --export-options export-minimal --export KEYID", "get the receipt again: rekor-gateway get ID --receipt FILE",
	} {
		if _, ok := found[known]; !ok {
			t.Errorf("%q is not found: this test does not look where hints are", known)
		}
	}
	table := readHints(t)
	if *update {
		writeHints(t, table, found)
		table = readHints(t)
	}
	for hint := range found {
		if table[hint] == "" {
			t.Errorf("in %s there is no situation in which this helps: %s", hintsTable, hint)
		}
	}
	for hint := range table {
		if _, ok := found[hint]; !ok {
			t.Errorf("%s has a hint that nothing prints: %s", hintsTable, hint)
		}
	}
}

// TestHintsAreSteps: a hint says what to do. It asks nothing, and sends nobody to what he cannot have.
func TestHintsAreSteps(t *testing.T) {
	for hint := range readHints(t) {
		for _, never := range []string{"right file?", "historical policy", "fetch the receipt later", "TODO", "\n"} {
			if strings.Contains(hint, never) {
				t.Errorf("%q is no step: %s", never, hint)
			}
		}
	}
}

func readHints(t *testing.T) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(hintsTable)
	if err != nil && !*update {
		t.Fatal(err)
	}
	table := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		hint, situation, _ := strings.Cut(line, "\t")
		if hint != "" && !strings.HasPrefix(hint, "#") {
			table[hint] = situation
		}
	}
	return table
}

func writeHints(t *testing.T, table map[string]string, found map[string][]string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("# A hint, and the situation in which it helps. See TestEveryHintHasItsSituation.\n")
	for _, hint := range slices.Sorted(maps.Keys(found)) {
		situation := table[hint]
		if situation == "" {
			situation = strings.Trim(strings.Join(found[hint], " / "), " /")
		}
		b.WriteString(hint + "\t" + situation + "\n")
	}
	if err := os.WriteFile(hintsTable, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
