// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Receipts of two trees never have one name in one folder: each tree has a folder in it, and two of one name are refused.
func TestBackfillSeveralTrees(t *testing.T) {
	const n = 3
	one, two := filepath.Join(makeTree(t, n), "one"), filepath.Join(makeTree(t, n), "two")
	for _, path := range []string{one, two} {
		for _, name := range []string{"app", "app.sig"} {
			copyFile(t, filepath.Join(filepath.Dir(path), "0", name), filepath.Join(path, "0", name))
		}
	}
	server := (&standIn{t: t, receipt: offline("x509.receipt.json")}).start()
	receipts, report := filepath.Join(t.TempDir(), "receipts"), filepath.Join(t.TempDir(), "report.jsonl")
	for _, state := range []string{stateLogged, stateDone} {
		code, out, errs := runBackfill(t.Context(), server, one, two, "--receipts", receipts, "--report", report)
		lines := string(must(os.ReadFile(report)))
		for _, name := range []string{"one/0/app.sig", "two/0/app.sig"} {
			if code != 0 || strings.Count(lines, `"name":"`+name+`","state":"`+state+`"`) != 1 {
				t.Errorf("exit %d, no %s %s in\n%s\n%s%s", code, state, name, lines, out, errs)
			}
		}
	}
	for _, name := range []string{"one/0/app.receipt.json", "two/0/app.receipt.json"} {
		readReceipt(t, filepath.Join(receipts, name))
	}
	again := filepath.Join(filepath.Dir(two), "one")
	if err := os.Rename(two, again); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := runBackfill(t.Context(), server, one, again+"/.", "--receipts", receipts); code != exitInput || !strings.Contains(errs, "a folder of its own") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if code, _, errs := runBackfill(t.Context(), server, one, again); code != 0 { // beside the files they are apart
		t.Errorf("exit %d\n%s", code, errs)
	}
}
