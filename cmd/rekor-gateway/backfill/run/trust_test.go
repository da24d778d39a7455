// SPDX-License-Identifier: Apache-2.0

package run

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
)

// TestTrustIsRenewed: a receipt by a log that came into use since the run has read its trust files is verified with them as they are now. What is verified so is
// not remembered for the trust that the run began with, and files that say nothing new are not read for each receipt.
func TestTrustIsRenewed(t *testing.T) {
	tree, root := makeTree(t, 1), filepath.Join(t.TempDir(), "trusted_root.json")
	at := func(name string) string { return filepath.Join(tree, "0", name) }
	item := backfill.Item{Signature: at("app.sig"), Name: "app.sig", Artifact: at("app")}
	now := string(must(os.ReadFile(offline("trusted_root.json"))))
	write := func(text string) {
		if err := os.WriteFile(root, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(strings.ReplaceAll(now, "https://rekor.local", "https://before.local"))
	b := newTestRun(t, root)
	copyFile(t, offline("x509.receipt.json"), at("app.receipt.json"))
	c := must(b.judge.readCandidate(t.Context(), item))
	defer c.close()
	if err := c.verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	check := func() error {
		return b.checkReceipt(t.Context(), c, must(receipt.Unmarshal(must(os.ReadFile(offline("x509.receipt.json"))))))
	}

	if err := check(); formats.ReasonOf(err) != receipt.ReasonUnknownLog {
		t.Fatalf("by a trust without the log: %v", err)
	}
	looked := b.trust.looked
	write(now)
	if err := check(); formats.ReasonOf(err) != receipt.ReasonUnknownLog || !b.trust.looked.Equal(looked) {
		t.Errorf("looked for again at once: %v", err)
	}
	b.trust.looked = looked.Add(-renewPause)
	if err := check(); err != nil || !b.trust.renewed.Load() {
		t.Errorf("by the files as they are now: %v", err)
	}
	kept := readFound(t, b.known, at("app.receipt.json"))
	for _, renewed := range []bool{true, false} {
		b.trust.renewed.Store(renewed)
		if b.remember(c, kept, nil); (len(b.known.fresh) > 0) == renewed {
			t.Errorf("with another trust than the run began with %v: %d are remembered", renewed, len(b.known.fresh))
		}
	}
}
