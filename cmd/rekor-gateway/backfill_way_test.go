// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// What a gateway does not record by a digest, since its policy has it attested, is sent with its bytes then.
func TestBackfillSendsBytesInstead(t *testing.T) {
	tree := makeTree(t, 0)
	copyFile(t, offline("artifact"), filepath.Join(tree, "lib"))
	copyFile(t, offline("pgp-rsa3072.sig"), filepath.Join(tree, "lib.asc"))
	for reason, want := range map[string]struct {
		state string
		alone int64
	}{
		"REPRESENTATION_NOT_ALLOWED": {stateLogged, 1}, "FORMAT_NOT_ALLOWED": {stateRefused, 0},
	} {
		g := &standIn{t: t, receipt: offline("pgp-rsa3072.receipt.json"), lines: func(int) (int, string) {
			return -1, `"status":422,"problem":{"reason":"` + reason + `","detail":"what","hint":"why"}`
		}}
		report := filepath.Join(t.TempDir(), "report.jsonl")
		_, out, errs := runBackfill(t.Context(), g.start(), tree, "--key", offline("pgp-rsa3072.pub"), "--report", report, "--receipts", t.TempDir())
		var o outcome
		if err := json.Unmarshal(must(os.ReadFile(report)), &o); err != nil || o.State != want.state || g.alone.Load() != want.alone {
			t.Errorf("%s: %+v, %d with bytes\n%s%s", reason, o, g.alone.Load(), out, errs)
		}
	}
}
