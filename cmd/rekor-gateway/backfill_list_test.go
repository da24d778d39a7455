// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestBackfillTellsOfListsEachTime: what is to be said of a list's files is said by the run that finds its receipt, too.
func TestBackfillTellsOfListsEachTime(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	tree := makeTree(t, 1)
	for from, to := range map[string]string{"app": "SHA256SUMS", "app.sig": "SHA256SUMS.sig"} {
		if err := os.Rename(filepath.Join(tree, "0", from), filepath.Join(tree, "0", to)); err != nil {
			t.Fatal(err)
		}
	}
	server := (&standIn{t: t, receipt: offline("x509.receipt.json")}).start()
	for _, state := range []string{stateLogged, stateDone} {
		o := backfillOne(t, server, tree)
		if o.State != state || o.ListedFaults != 1 || len(o.Listed) != 1 || o.Listed[0].Reason != "MALFORMED_LIST" {
			t.Errorf("%+v", o)
		}
	}
}
