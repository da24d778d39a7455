// SPDX-License-Identifier: Apache-2.0

package run

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/formats"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// TestKnownHoldsForItsKeys: a receipt is remembered for the key file of a manifest by which it was verified, and not for the one that has come in its
// place meanwhile, whether the signature was just read or was sent before.
func TestKnownHoldsForItsKeys(t *testing.T) {
	tree := makeTree(t, 1)
	at := func(name string) string { return filepath.Join(tree, "0", name) }
	copyFile(t, offline("x509.pub"), at("key.pub"))
	copyFile(t, offline("x509.receipt.json"), at("app.receipt.json"))
	item := backfill.Item{Signature: at("app.sig"), Name: "app.sig", Artifact: at("app"), Keys: []string{at("key.pub")}}
	f := &Options{Manifest: "list.csv", Which: "all", Header: func(signature []byte, keys [][]byte) (*pb.SubmissionHeader, error) {
		return &pb.SubmissionHeader{Signature: signature, Keys: keys}, nil
	}}
	j := newJudge(f, must(loadKeys(t.Context(), nil)))
	k := &knownReceipts{path: "known"}
	j.settled = &k.settled
	kept := readFound(t, k, at("app.receipt.json"))
	c := must(j.readCandidate(t.Context(), item))
	defer c.close()
	if err := c.verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	sent := must(j.readSent(t.Context(), item, c.summarizeSent()))
	defer sent.close()
	if _, closer, err := sent.openSigned(t.Context()); err != nil || closer.Close() != nil {
		t.Fatal(err)
	}
	for _, one := range []*candidate{c, sent} {
		k.fresh = nil
		if k.add(one, kept, nil); len(k.fresh) != 1 {
			t.Error("the receipt is not remembered")
		}
	}
	if err := os.Chtimes(at("key.pub"), time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	for i, one := range []*candidate{c, sent} {
		k.fresh = nil
		if k.add(one, kept, nil); len(k.fresh) != 0 {
			t.Errorf("candidate %d is remembered for another key file", i)
		}
	}
}

// readFound reads a receipt as findReceipt does.
func readFound(t *testing.T, k *knownReceipts, path string) found {
	t.Helper()
	r, stamp, err := readKept("", path, &k.settled)
	if err != nil {
		t.Fatal(err)
	}
	return found{path: path, receipt: r, stamp: stamp}
}

// TestKnownIsWhatWasVerified: a file that somebody puts in the place of a receipt while that is verified, or once it is written, is not remembered in its stead.
func TestKnownIsWhatWasVerified(t *testing.T) {
	tree := makeTree(t, 1)
	at := func(name string) string { return filepath.Join(tree, "0", name) }
	path := at("app.receipt.json")
	copyFile(t, offline("x509.receipt.json"), path)
	item := backfill.Item{Signature: at("app.sig"), Name: "app.sig", Artifact: at("app")}
	read := func(k *knownReceipts) *candidate {
		c := &candidate{item: item, signature: must(openSource(t.Context(), "", item.Signature, formats.MaxSignatureSize))}
		c.signature.settled = &k.settled
		t.Cleanup(c.close)
		must(c.signature.readAll(formats.MaxSignatureSize))
		_, closer, err := c.openBytes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = closer.Close() })
		return c
	}
	swap := func() {
		copyFile(t, offline("artifact"), at("another"))
		if err := os.Rename(at("another"), path); err != nil {
			t.Fatal(err)
		}
	}
	for _, isSwapped := range []bool{false, true} {
		k := &knownReceipts{path: "known", trust: true}
		c, kept := read(k), readFound(t, k, path)
		if isSwapped {
			swap()
		}
		k.add(c, kept, nil)
		k.old = k.fresh
		if got, _ := k.find(item, place{own: path}, nil); (got == "") != isSwapped {
			t.Errorf("read, another one put there %v: %q is known", isSwapped, got)
		}
	}
	for _, isSwapped := range []bool{false, true} {
		k := &knownReceipts{path: "known", trust: true}
		c, raw := read(k), must(os.ReadFile(offline("x509.receipt.json")))
		stamp, err := new(receiptWriter).write(at(""), path, raw, true)
		if err != nil {
			t.Fatal(err)
		}
		if isSwapped {
			swap()
		}
		k.add(c, found{path: path, stamp: stamp, written: true}, nil)
		k.old = k.fresh
		if got, _ := k.find(item, place{own: path}, nil); (got == "") != isSwapped {
			t.Errorf("written, another one put there %v: %q is known", isSwapped, got)
		}
	}
}
