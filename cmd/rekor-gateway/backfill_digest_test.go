// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// digestRow is a manifest with one row: a signature, and a digest in place of its file.
type digestRow struct {
	t             *testing.T
	dir, manifest string
}

func newDigestRow(t *testing.T, content []byte) *digestRow {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	d := &digestRow{t: t, dir: t.TempDir()}
	d.manifest = filepath.Join(d.dir, "list.jsonl")
	copyFile(t, offline("x509.sig"), filepath.Join(d.dir, "app.sig"))
	copyFile(t, offline("x509.pub"), filepath.Join(d.dir, "x509.pub"))
	sum := sha256.Sum256(content)
	d.write("list.jsonl", fmt.Appendf(nil, `{"signature":"app.sig","digest":"sha256:%s","keys":["x509.pub"]}`, hex.EncodeToString(sum[:])))
	return d
}

func (d *digestRow) write(name string, content []byte) string {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		d.t.Fatal(err)
	}
	return path
}

// writeReceipt writes the recorded receipt, changed.
func (d *digestRow) writeReceipt(name string, change func(*receiptpb.Receipt)) string {
	d.t.Helper()
	r := readReceipt(d.t, offline("x509.receipt.json"))
	change(r)
	return d.write(name, must(receipt.Marshal(r)))
}

// run runs backfill over the row, and returns the line of its report.
func (d *digestRow) run(more ...string) (o outcome, code int) {
	d.t.Helper()
	report := filepath.Join(d.t.TempDir(), "report.jsonl")
	var out, errs bytes.Buffer
	code = runProgram(d.t.Context(), append([]string{"backfill", "--manifest", d.manifest, "--trusted-root", offline(rootFile), "--report", report}, more...), &out, &errs)
	raw, err := os.ReadFile(report)
	if err == nil {
		err = json.Unmarshal(raw, &o)
	}
	if err != nil {
		d.t.Fatalf("%v in %s\n%s%s", err, raw, &out, &errs)
	}
	return o, code
}

// lies are what somebody may make of a receipt who cannot make a good one.
func lies(t *testing.T) map[string]func(*receiptpb.Receipt) {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	sum := sha256.Sum256(must(os.ReadFile(offline("artifact"))))
	foreign := must(ecdsa.SignASN1(rand.Reader, key, sum[:]))
	return map[string]func(*receiptpb.Receipt){
		"a stranger's signature": func(r *receiptpb.Receipt) { r.Signature.Content = foreign },
		"another's record": func(r *receiptpb.Receipt) {
			r.Entries = readReceipt(t, offline("pgp-rsa3072.receipt.json")).GetEntries()
		},
		"a statement that is none": func(r *receiptpb.Receipt) { r.Representation = receiptpb.Receipt_ATTESTED },
		"no proof": func(r *receiptpb.Receipt) {
			r.Entries[0].Bundle.VerificationMaterial.TlogEntries[0].InclusionProof.RootHash = make([]byte, sha256.Size)
		},
	}
}

// TestDigestRowIsProven: of a file that is only named by its digest, a receipt is verified as it is of any other, whoever it is from.
func TestDigestRowIsProven(t *testing.T) {
	artifact := must(os.ReadFile(offline("artifact")))
	server := (&standIn{t: t, receipt: offline("x509.receipt.json")}).start()
	good := newDigestRow(t, artifact)
	for _, state := range []string{stateLogged, stateDone} {
		if o, code := good.run("--server", server); code != 0 || o.State != state || len(o.Signers) != 1 || o.Representation != "NATIVE" {
			t.Errorf("exit %d, %+v", code, o)
		}
	}
	for name, lie := range lies(t) {
		t.Run(name, func(t *testing.T) {
			d := newDigestRow(t, artifact)
			path := d.writeReceipt("app.sig.receipt.json", lie)
			d.write("app.sig", readReceipt(t, path).GetSignature().GetContent())
			if o, code := d.run("--server", server); code != exitSome || o.State != stateRefused {
				t.Errorf("a receipt that was there: exit %d, %+v", code, o)
			}
			if o, _ := d.run("--dry-run", "--verify-receipts"); o.State != stateRefused {
				t.Errorf("a plan: %+v", o)
			}
			d = newDigestRow(t, artifact)
			liar := (&standIn{t: t, receipt: d.writeReceipt("lie", lie)}).start()
			if o, code := d.run("--server", liar); code != exitSome || o.State != stateRefused || o.Representation+o.Way != "" {
				t.Errorf("a gateway's: exit %d, %+v", code, o)
			}
			if _, err := os.Stat(filepath.Join(d.dir, "app.sig.receipt.json")); err == nil {
				t.Error("it is kept")
			}
		})
	}
}

// TestDigestRowTakesTheFile: what only the file shows is not taken for shown, and the advice is to name it.
func TestDigestRowTakesTheFile(t *testing.T) {
	d := newDigestRow(t, must(os.ReadFile(offline("artifact"))))
	d.writeReceipt("app.sig.receipt.json", func(r *receiptpb.Receipt) { r.Artifact.Size = 6 })
	o, _ := d.run("--server", (&standIn{t: t, receipt: offline("x509.receipt.json")}).start())
	if o.State != stateRefused || o.Reason != receipt.ReasonMissingArtifact || !strings.Contains(o.Hint, "name the file in the manifest") {
		t.Errorf("%+v", o)
	}
}
