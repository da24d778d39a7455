// SPDX-License-Identifier: Apache-2.0

package run

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
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
	j := &judge{flags: f, stock: must(loadKeys(t.Context(), nil)), ways: f.newWayFinder(nil)}
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
		k := &knownReceipts{path: "known"}
		if k.add(one, at("app.receipt.json"), nil); len(k.fresh) != 1 {
			t.Error("the receipt is not remembered")
		}
	}
	if err := os.Chtimes(at("key.pub"), time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	for i, one := range []*candidate{c, sent} {
		k := &knownReceipts{path: "known"}
		if k.add(one, at("app.receipt.json"), nil); len(k.fresh) != 0 {
			t.Errorf("candidate %d is remembered for another key file", i)
		}
	}
}
