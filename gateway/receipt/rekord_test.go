// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"crypto/sha256"
	"path/filepath"
	"strings"
	"testing"

	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt/receipttest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekord"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// whole is a signature by a real tool, as a Rekor v1 log records it itself.
func whole(tb testing.TB, l *receipttest.V1Log, format, signature, key, file string) *signed {
	tb.Helper()
	data := func(name string) []byte {
		return readFile(tb, filepath.Join("../../formats", format, "testdata", name))
	}
	s := &signed{format: format, content: data(file), signature: data(signature), keys: [][]byte{data(key)}}
	s.policy.Now, s.policy.PublishUserIDs = timeFor(format), true
	s.recordWhole(tb, l, nil)
	return s
}

// recordWhole does what a gateway does, with a record that may be changed.
func (s *signed) recordWhole(tb testing.TB, l *receipttest.V1Log, change func(*rekord.Record)) {
	tb.Helper()
	facts, verified := s.facts(tb, receiptpb.Receipt_NATIVE)
	record := rekord.Record{Whole: *facts.Description.Whole, Digest: sha256.Sum256(s.content)}
	if change != nil {
		change(&record)
	}
	body, err := rekord.Body(record)
	if err != nil {
		tb.Fatal(err)
	}
	logged := l.AddBodies(s.policy.Now, rekord.KindName, body)[0]
	raw, err := receipt.EncodeProof(logged)
	if err != nil {
		tb.Fatal(err)
	}
	r := receipt.New(facts)
	r.Entries = append(r.Entries, receipt.RecordWhole(record, verified.Signers[0].SPKI))
	if s.receipt, err = receipt.Complete(r, []receipt.Proof{{Kind: receipt.KindTransparencyLogEntry, Bytes: raw, Body: body}}); err != nil {
		tb.Fatal(err)
	}
	s.log = receipttest.NewLog(tb, origin)
}

var wholes = map[string][4]string{
	"minisign":         {"minisign", "prehashed.minisig", "signer.pub", "artifact.txt"},
	"minisign, legacy": {"minisign", "legacy.minisig", "signer.pub", "artifact.txt"},
	"signify":          {"minisign", "signify.sig", "release.pub", "artifact.txt"},
	"ssh":              {"ssh", "ed25519.sig", "ed25519.pub", "artifact.txt"},
	"ssh, ecdsa":       {"ssh", "ecdsa-256.sig", "ecdsa-256.pub", "artifact.txt"},
	"pgp":              {"pgp", "rsa3072-SHA512.sig", "rsa3072.key", "artifact"},
	"pgp, subkey":      {"pgp", "subkey.sig", "subkey.key", "artifact"},
	"pgp, ed25519":     {"pgp", "ed25519.sig", "ed25519.key", "artifact"},
	"ssh, sk":          {"ssh", "sk-ecdsa.sig", "sk-ecdsa.pub", "artifact.txt"},
}

// TestRekord verifies receipts of signatures that Rekor v1 records itself.
func TestRekord(t *testing.T) {
	for name, c := range wholes {
		t.Run(name, func(t *testing.T) {
			l := receipttest.NewV1Log(t)
			s := whole(t, l, c[0], c[1], c[2], c[3])
			o := s.options()
			o.TrustedRoot = l.Root()
			report, err := s.verify(t, s.receipt, o)
			if err != nil {
				t.Fatal(err)
			}
			if !proves(report, "byte for byte") || !proves(report, "by the promise of log "+l.Origin()) {
				t.Errorf("proven: %q", report.Proven)
			}
			if _, err := report.ExportCosign(t.Context(), receipt.Export{Dir: t.TempDir()}); formats.ReasonOf(err) != receipt.ReasonExportNotPossible {
				t.Errorf("exported: %v", err)
			}
			raw, err := receipt.Marshal(s.receipt)
			if err != nil {
				t.Fatal(err)
			}
			read, err := receipt.Unmarshal(raw)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.verify(t, read, o); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRekordRecords: an entry that the log has, and that says something else than the signature, is no record of it.
func TestRekordRecords(t *testing.T) {
	l := receipttest.NewV1Log(t)
	other := whole(t, l, "ssh", "ecdsa-256.sig", "ecdsa-256.pub", "artifact.txt")
	facts, _ := other.facts(t, receiptpb.Receipt_NATIVE)
	for name, change := range map[string]func(*rekord.Record){
		"digest":         func(r *rekord.Record) { r.Digest[0] ^= 1 },
		"signature":      func(r *rekord.Record) { r.Signature = facts.Description.Whole.Signature },
		"key":            func(r *rekord.Record) { r.Key = facts.Description.Whole.Key },
		"key's comment":  func(r *rekord.Record) { r.Key = append(bytes.TrimSpace(r.Key), " alice@example.com\n"...) },
		"another's both": func(r *rekord.Record) { r.Whole = *facts.Description.Whole },
		"format":         func(r *rekord.Record) { r.Format = "minisign" },
		"line ends":      func(r *rekord.Record) { r.Signature = bytes.ReplaceAll(r.Signature, []byte("\n"), []byte("\r\n")) },
	} {
		t.Run(name, func(t *testing.T) {
			s := whole(t, l, "ssh", "ed25519.sig", "ed25519.pub", "artifact.txt")
			s.recordWhole(t, l, change)
			o := s.options()
			o.TrustedRoot = l.Root()
			s.refused(t, o, receipt.ReasonEntryMismatch, nil)
		})
	}
}

// TestRekordEdits: nothing in a receipt with such an entry can be changed that decides anything.
func TestRekordEdits(t *testing.T) {
	l := receipttest.NewV1Log(t)
	s, other := whole(t, l, "ssh", "ed25519.sig", "ed25519.pub", "artifact.txt"), whole(t, l, "minisign", "prehashed.minisig", "signer.pub", "artifact.txt")
	o := s.options()
	o.TrustedRoot = l.Root()
	of := func(r *receiptpb.Receipt) *rekorpb.TransparencyLogEntry {
		return r.GetEntries()[0].GetBundle().GetVerificationMaterial().GetTlogEntries()[0]
	}
	for name, c := range map[string]struct {
		want   formats.Reason
		change func(*receiptpb.Receipt)
	}{
		"kind":             {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { of(r).KindVersion.Kind = "hashedrekord" }},
		"version":          {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { of(r).KindVersion.Version = "0.0.2" }},
		"body":             {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { of(r).CanonicalizedBody[99] ^= 1 }},
		"body, longer":     {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { of(r).CanonicalizedBody = append(of(r).CanonicalizedBody, '\n') }},
		"of another":       {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Entries = other.receipt.GetEntries() }},
		"one of another":   {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Entries = append(r.Entries, other.receipt.GetEntries()...) }},
		"projected":        {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Representation = receiptpb.Receipt_PROJECTED }},
		"time":             {receipt.ReasonProofInvalid, func(r *receiptpb.Receipt) { of(r).IntegratedTime-- }},
		"promise":          {receipt.ReasonProofInvalid, func(r *receiptpb.Receipt) { of(r).InclusionPromise = nil }},
		"spki":             {receipt.ReasonClaimMismatch, func(r *receiptpb.Receipt) { r.Entries[0].Spki = other.receipt.Entries[0].Spki }},
		"recipe":           {receipt.ReasonClaimMismatch, func(r *receiptpb.Receipt) { r.Entries[0].Recipe = &receiptpb.Recipe{Artifact: true} }},
		"signature":        {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Entries[0].Bundle.GetMessageSignature().Signature[5] ^= 1 }},
		"digest":           {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Entries[0].Bundle.GetMessageSignature().MessageDigest.Digest[5] ^= 1 }},
		"digest algorithm": {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Entries[0].Bundle.GetMessageSignature().MessageDigest.Algorithm++ }},
		"hint": {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) {
			r.Entries[0].Bundle.VerificationMaterial.Content.(*bundlepb.VerificationMaterial_PublicKey).PublicKey.Hint = "another"
		}},
	} {
		t.Run(name, func(t *testing.T) { s.refused(t, o, c.want, c.change) })
	}
	stranger := o
	stranger.ExpectedKeys = other.keys
	if _, err := s.verify(t, s.receipt, stranger); err == nil {
		t.Error("a stranger's key is as good")
	}
	s.content = append(bytes.Clone(s.content), '!')
	s.refused(t, o, receipt.ReasonArtifactMismatch, nil)
}

// TestRekordByDigest: SSH signatures verify by a digest, but not their entries, which have another.
func TestRekordByDigest(t *testing.T) {
	l := receipttest.NewV1Log(t)
	s := whole(t, l, "ssh", "ed25519.sig", "ed25519.pub", "artifact.txt")
	o := s.options()
	o.TrustedRoot, o.Artifact = l.Root(), nil
	if report, err := receipt.Verify(t.Context(), s.receipt, o); err == nil || report != nil || !strings.Contains(err.Error(), "artifact") {
		t.Errorf("verified without the artifact: %v", err)
	}
}

// TestRekordPGPKeys: the record has the key as it was sent. The reader's own copy may be another, as long as it is the same key that signed.
func TestRekordPGPKeys(t *testing.T) {
	l := receipttest.NewV1Log(t)
	s := whole(t, l, "pgp", "rsa3072-SHA512.sig", "rsa3072.key", "artifact")
	data := func(name string) []byte { return readFile(t, filepath.Join("../../formats/pgp/testdata", name)) }
	o := s.options()
	o.TrustedRoot = l.Root()
	o.ExpectedKeys = [][]byte{data("keyring.gpg"), data("rsa3072.key")}
	if _, err := s.verify(t, s.receipt, o); err != nil {
		t.Errorf("by a keyring: %v", err)
	}
	o.ExpectedKeys = [][]byte{data("rsa2048.key")}
	if _, err := s.verify(t, s.receipt, o); err == nil {
		t.Error("by a stranger's key")
	}
	o.ExpectedKeys = s.keys
	for name, keys := range map[string][][]byte{"another's": {data("rsa2048.key")}, "none": nil, "no key": {[]byte("x")}} {
		t.Run(name, func(t *testing.T) {
			s.refused(t, o, receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Signature.Keys = keys })
		})
	}
}
