// SPDX-License-Identifier: Apache-2.0

package stocktest

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway/attest"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt/receipttest"
	"github.com/rekor-gateway/rekor-gateway/gateway/statement"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

const (
	origin = "log.example"

	native    = receiptpb.Receipt_NATIVE
	projected = receiptpb.Receipt_PROJECTED
	attested  = receiptpb.Receipt_ATTESTED
)

// vector is a signature that a format's own tools made, in its test data.
type vector struct {
	format, signature, key, artifact string
	as                               receiptpb.Receipt_Representation
}

var vectors = []vector{
	{"pgp", "rsa3072-SHA256.sig", "rsa3072.key", "artifact", projected},
	{"pgp", "p384.sig", "p384.key", "artifact", projected},
	{"pgp", "text.asc", "rsa3072.key", "text", projected},
	{"pgp", "cleartext.asc", "rsa3072.key", "", projected},
	{"pgp", "v3-SHA256.sig", "v3.key", "artifact", projected},
	{"pgp", "ed25519.sig", "ed25519.key", "artifact", attested},
	{"pgp", "cleartext-ed25519.asc", "ed25519.key", "", attested},
	{"ssh", "ecdsa-256.sig", "ecdsa-256.pub", "artifact.txt", projected},
	{"ssh", "sk-ecdsa.sig", "sk-ecdsa.pub", "artifact.txt", projected},
	{"ssh", "ed25519.sig", "ed25519.pub", "artifact.txt", attested},
	{"pkcs7", "rsa2048.der", "rsa2048-cert.pem", "artifact.bin", projected},
	{"pkcs7", "p256-noattr.der", "p256-cert.pem", "artifact.bin", projected},
	{"pkcs7", "rsa2048-attached.der", "rsa2048-cert.pem", "", projected},
	{"pkcs7", "rsa2048-sha512.der", "rsa2048-cert.pem", "artifact.bin", attested},
	{"minisign", "prehashed.minisig", "signer.pub", "artifact.txt", attested},
	{"tuf", "targets.json", "root-1.json", "", projected},
	{"tuf", "targets.json", "root-1.json", "target.txt", projected},
	{"tuf", "targets-mixed.json", "root-1.json", "target.txt", attested},
	{"tuf", "snapshot.json", "root-1.json", "", attested},
	{"x509", "rsa2048.sig", "rsa2048.pem", "artifact.bin", native},
	{"x509", "p256.sig", "p256.pem", "artifact.bin", native},
	{"x509", "p384.sig", "p384.pem", "artifact.bin", native},
	{"x509", "p521.sig", "p521.pem", "artifact.bin", native},
	{"x509", "p256.sig", "p256.pem", "artifact.bin", attested},
	{"x509", "ed25519.sig", "ed25519.pem", "artifact.bin", attested},
}

// freshSamples are receipts that today's code makes, by one gateway and in one log.
func freshSamples(t *testing.T) []sample {
	t.Helper()
	log := receipttest.NewLog(t, origin)
	gateway, err := attest.New(attest.Config{
		Active: filepath.Join(t.TempDir(), "key.pem"), Create: true, Verifier: statement.Verifier{Name: "rekor-gateway", Version: "test"},
	})
	if err != nil {
		t.Fatal(err)
	}
	trust, err := trustroot.NewGateway(trustroot.GatewayKey{SPKI: gateway.SPKI(), Logs: []trustroot.LogRange{{Origin: origin}}})
	if err != nil {
		t.Fatal(err)
	}
	other := receipttest.NewLog(t, origin).Root()
	var out []sample
	for _, v := range vectors {
		dir := filepath.Join("../../formats", v.format, "testdata")
		s := sample{
			name: "fresh " + v.format + " " + v.signature, otherRoot: other,
			options: receipt.Options{
				Registry: all.Formats(), TrustedRoot: log.Root(), GatewayTrust: trust, Now: timeFor(v.format),
				ExpectedKeys: [][]byte{readFile(t, filepath.Join(dir, v.key))},
			},
		}
		if v.artifact != "" {
			s.artifact = filepath.Join(dir, v.artifact)
		}
		s.receipt = makeReceipt(t, v, readFile(t, filepath.Join(dir, v.signature)), s, log, gateway)
		out = append(out, s)
	}
	return out
}

// timeFor is when the format's test data is good.
func timeFor(format string) time.Time {
	if format == "tuf" || format == "pgp" {
		return time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	}
	return time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
}

// makeReceipt does what a gateway does.
func makeReceipt(t *testing.T, v vector, signature []byte, s sample, log *receipttest.Log, gateway *attest.Signer) *receiptpb.Receipt {
	t.Helper()
	policy := formats.Policy{Now: s.options.Now}
	parsed, err := s.options.Registry.Parse(t.Context(), v.format, signature, s.options.ExpectedKeys, policy)
	if err != nil {
		t.Fatal(err)
	}
	artifact := formats.Artifact{}
	if s.artifact != "" {
		artifact = formats.FromReader(bytes.NewReader(readFile(t, s.artifact)))
	}
	verified, err := parsed.Verify(t.Context(), artifact)
	if err != nil {
		t.Fatal(err)
	}
	r := receipt.New(receipt.Facts{
		ID: "id", Signature: signature, Description: parsed.Describe(), Verified: verified, Policy: policy, Representations: []receiptpb.Receipt_Representation{v.as},
	})
	var records []hashedrekord.Record
	if v.as == attested {
		signed, err := gateway.Attest(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		entry, record := receipt.Attestation(signed)
		r.Entries, records = append(r.Entries, entry), append(records, record)
	} else {
		for _, p := range verified.Projections {
			entry, record, err := receipt.Project(p, false)
			if err != nil {
				t.Fatal(err)
			}
			r.Entries, records = append(r.Entries, entry), append(records, record)
		}
	}
	return completeReceipt(t, r, log, records)
}

func completeReceipt(t *testing.T, r *receiptpb.Receipt, log *receipttest.Log, records []hashedrekord.Record) *receiptpb.Receipt {
	t.Helper()
	var proofs []receipt.Proof
	for _, logged := range log.Add(records...) {
		raw, err := receipt.EncodeProof(logged)
		if err != nil {
			t.Fatal(err)
		}
		proofs = append(proofs, receipt.Proof{Kind: receipt.KindTransparencyLogEntry, Bytes: raw, Body: logged.GetCanonicalizedBody()})
	}
	complete, err := receipt.Complete(r, proofs)
	if err != nil {
		t.Fatal(err)
	}
	return complete
}
