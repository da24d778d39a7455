// SPDX-License-Identifier: Apache-2.0

package run

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sync/semaphore"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/formats"
)

// TestKnownHoldsForListedFiles: what a list names is compared again once it was touched, added or taken away; what is not there is told each time.
func TestKnownHoldsForListedFiles(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	put := func(name, content string) {
		if err := os.WriteFile(at(name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("one", "1")
	put("SHA256SUMS", fmt.Sprintf("%x  one\n%x  two\n", sha256.Sum256([]byte("1")), sha256.Sum256([]byte("2"))))
	copyFile(t, offline("x509.sig"), at("SHA256SUMS.sig"))
	copyFile(t, offline("x509.receipt.json"), at("SHA256SUMS.receipt.json"))
	var item backfill.Item
	for found, err := range backfill.Scan([]string{dir}, backfill.Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		item = found
	}
	p := must(findPlace(item, ""))
	b := &runner{known: &knownReceipts{path: "known", trust: true}, lists: semaphore.NewWeighted(maxHeld)}
	find := func() (string, *backfill.Checked) {
		return b.known.find(item, p, func() *backfill.Checked { return b.lookAtList(t.Context(), item) })
	}
	verify := func() (*backfill.Checked, error) { // as a run does that ends then
		b.known.settled.since = nil
		c := &candidate{item: item, signature: must(openSource(t.Context(), "", item.Signature, formats.MaxSignatureSize))}
		c.signature.settled = &b.known.settled
		defer c.close()
		must(c.signature.readAll(formats.MaxSignatureSize))
		list, err := b.compareList(t.Context(), c)
		b.known.fresh = nil
		if err == nil {
			_, stamp, err := readKept("", p.first, &b.known.settled)
			if err != nil {
				t.Fatal(err)
			}
			b.known.add(c, found{path: p.first, stamp: stamp}, list)
		}
		b.known.old = b.known.fresh
		slices.SortFunc(b.known.old, compareKnown)
		return list, err
	}
	if list, err := verify(); err != nil || list.Count != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	if path, list := find(); path != p.first || list.Count != 1 || list.Faults[0].Problem.Reason != formats.ReasonMissingArtifact {
		t.Errorf("%q is known, %+v", path, list)
	}
	put("two", "2")
	if path, _ := find(); path != "" {
		t.Error("a listed file that has come is not compared")
	}
	if list, err := verify(); err != nil || list.Count != 0 {
		t.Fatalf("%+v, %v", list, err)
	}
	put("one", "x")
	if path, _ := find(); path != "" {
		t.Error("a listed file that was touched is not compared")
	}
	if _, err := verify(); formats.ReasonOf(err) != formats.ReasonArtifactMismatch || len(b.known.old) != 0 {
		t.Errorf("%v, %d are known", err, len(b.known.old))
	}
}
