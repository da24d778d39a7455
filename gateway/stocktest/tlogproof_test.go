// SPDX-License-Identifier: Apache-2.0

package stocktest

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/protobuf/proto"

	"github.com/sigstore/sigstore-go/pkg/bundle"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt/receipttest"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

const ownOrigin = "gateway.example/own"

// policyOf is torchwood's for the one log of that key.
func policyOf(t *testing.T, key string) torchwood.Policy {
	t.Helper()
	v, err := note.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	return torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(v.Name()), torchwood.SingleVerifierPolicy(v))
}

// keptBatched are the batched receipts of the corpus that verify.
func keptBatched(t *testing.T) (out []sample) {
	t.Helper()
	for _, s := range keptSamples(t) {
		if isBatched(s.receipt) {
			out = append(out, s)
		}
	}
	if len(out) < 8 {
		t.Fatalf("the corpus has %d batched receipts", len(out))
	}
	return out
}

func isBatched(r *receiptpb.Receipt) bool { return r.GetEntries()[0].GetOwn() != nil }

// TestTorchwoodVerifiesKeptProofs: those of each batched receipt in the corpus, and of no other record.
func TestTorchwoodVerifiesKeptProofs(t *testing.T) {
	t.Parallel()
	for _, s := range keptBatched(t) {
		policy := policyOf(t, s.options.GatewayTrust.OwnLogs()[0].Key)
		for i, e := range s.receipt.GetEntries() {
			body, text := e.GetOwn().GetBody(), []byte(e.GetOwn().GetProof())
			if err := torchwood.VerifyProof(policy, tlog.RecordHash(body), text); err != nil {
				t.Errorf("%s: entry %d: %v", s.name, i+1, err)
			}
			if torchwood.VerifyProof(policy, tlog.RecordHash(append(body, ' ')), text) == nil {
				t.Errorf("%s: entry %d verifies for another record", s.name, i+1)
			}
		}
	}
}

// TestTorchwoodVerifiesProofs: of trees of many sizes, each index that is at the edge of something.
func TestTorchwoodVerifiesProofs(t *testing.T) {
	t.Parallel()
	l := receipttest.NewOwnLog(t, ownOrigin)
	policy := policyOf(t, l.Key)
	var bodies [][]byte
	for n := range 200 {
		bodies = append(bodies, fmt.Appendf(nil, "record %d", n))
		last := l.Append(bodies[n])
		checkpoint := l.Checkpoint()
		for _, back := range []int{0, 1, 7, 64, n} {
			if back > n {
				continue
			}
			index := last - 2*uint64(back) // a foreign record follows each
			text, err := receipt.FormatOwnProof(receipt.OwnProof{Index: index, Hashes: l.Prove(index), Checkpoint: checkpoint})
			if err != nil {
				t.Fatal(err)
			}
			if err := torchwood.VerifyProof(policy, tlog.RecordHash(bodies[n-back]), text); err != nil {
				t.Errorf("record %d, %d back: %v", index, back, err)
			}
		}
	}
}

// TestOtherSpellings: what a library takes for the same proof is no proof in a receipt.
func TestOtherSpellings(t *testing.T) {
	t.Parallel()
	s := keptBatched(t)[0]
	own := s.receipt.GetEntries()[0].GetOwn()
	policy, text := policyOf(t, s.options.GatewayTrust.OwnLogs()[0].Key), own.GetProof()
	for name, other := range map[string]string{
		"leading zero": strings.Replace(text, "\nindex ", "\nindex 00", 1),
		"plus sign":    strings.Replace(text, "\nindex ", "\nindex +", 1),
		"extra data":   strings.Replace(text, "\nindex ", "\nextra AAAA\nindex ", 1),
		"CR in a hash": strings.Replace(text, "=\n", "\r=\n", 1),
	} {
		if err := torchwood.VerifyProof(policy, tlog.RecordHash(own.GetBody()), []byte(other)); err != nil {
			t.Errorf("%s: torchwood refuses it too: %v", name, err)
		}
		if _, err := receipt.ParseOwnProof([]byte(other)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestTorchwoodAgrees: what verify accepts of a proof with any byte changed, torchwood accepts.
func TestTorchwoodAgrees(t *testing.T) {
	t.Parallel()
	for _, s := range keptBatched(t) {
		if filepath.Base(s.name) != "own-pgp-rsa3072" { // its checkpoint is cosigned
			continue
		}
		own := s.receipt.GetEntries()[0].GetOwn()
		policy, accepted := policyOf(t, s.options.GatewayTrust.OwnLogs()[0].Key), 0
		for i := range own.GetProof() {
			bad := []byte(own.GetProof())
			bad[i] ^= 1
			r := proto.CloneOf(s.receipt)
			r.GetEntries()[0].GetOwn().Proof = string(bad)
			o := s.options
			o.Artifact = bytes.NewReader(readFile(t, s.artifact))
			if _, err := receipt.Verify(t.Context(), r, o); err != nil {
				continue
			}
			accepted++
			if err := torchwood.VerifyProof(policy, tlog.RecordHash(own.GetBody()), bad); err != nil {
				t.Errorf("byte %d: %v", i, err)
			}
		}
		if accepted == 0 {
			t.Error("no change was accepted: the cosignature's could be")
		}
	}
}

// TestExportedProofs: torchwood and sigstore-go verify what verify --export-tlog-proof writes, in the way that docs/receipts.md names.
func TestExportedProofs(t *testing.T) {
	t.Parallel()
	for _, s := range keptBatched(t) {
		t.Run(s.name, func(t *testing.T) {
			dir := t.TempDir()
			rootPath := filepath.Join(dir, "trusted_root.json")
			if err := s.options.TrustedRoot.Write(rootPath); err != nil {
				t.Fatal(err)
			}
			if s.artifact != "" {
				s.options.Artifact = bytes.NewReader(readFile(t, s.artifact))
			}
			report, err := receipt.Verify(t.Context(), s.receipt, s.options)
			if err != nil {
				t.Fatal(err)
			}
			files, err := report.ExportTlogProofs(filepath.Join(dir, "out"))
			if err != nil || len(files) != len(report.Entries) {
				t.Fatalf("%d files, %v", len(files), err)
			}
			for _, x := range files {
				checkExportedProof(t, x, rootPath)
			}
		})
	}
}

// TestSpicyVerifiesExport: torchwood's own command verifies the record by its file beside it, and no other record.
func TestSpicyVerifiesExport(t *testing.T) {
	t.Parallel()
	spicy := filepath.Join(t.TempDir(), "spicy")
	if out, err := exec.Command("go", "build", "-o", spicy, "filippo.io/torchwood/cmd/spicy").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s := keptBatched(t)[0]
	if s.artifact != "" {
		s.options.Artifact = bytes.NewReader(readFile(t, s.artifact))
	}
	report, err := receipt.Verify(t.Context(), s.receipt, s.options)
	if err != nil {
		t.Fatal(err)
	}
	files, err := report.ExportTlogProofs(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	key := s.options.GatewayTrust.OwnLogs()[0].Key
	if out, err := exec.Command(spicy, "-verify", key, files[0].Record).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if err := os.WriteFile(files[0].Record, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(spicy, "-verify", key, files[0].Record).CombinedOutput(); err == nil {
		t.Errorf("another record: %s", out)
	}
}

func checkExportedProof(t *testing.T, x receipt.ExportedProof, rootPath string) {
	t.Helper()
	policy, err := torchwood.ParsePolicy(readFile(t, x.Policy))
	if err != nil {
		t.Fatal(err)
	}
	if err := torchwood.VerifyProof(policy, tlog.RecordHash(readFile(t, x.Record)), readFile(t, x.Proof)); err != nil {
		t.Errorf("torchwood: %v", err)
	}
	for i, path := range x.Anchors {
		b, err := bundle.LoadJSONFromPath(path)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(readFile(t, x.AnchorKeys[i]))
		anchor := exported{bundle: b, root: loadRoot(t, rootPath), key: block.Bytes, hash: formats.SHA256, blob: readFile(t, x.Checkpoint)}
		if err := anchor.verify(); err != nil {
			t.Errorf("sigstore-go: %v", err)
		}
		anchor.blob = append(anchor.blob, '\n')
		if anchor.verify() == nil {
			t.Error("sigstore-go verifies the anchor for another checkpoint")
		}
	}
}
