// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"path/filepath"
	"testing"

	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt/receipttest"
	"github.com/rekor-gateway/rekor-gateway/gateway/tufrecord"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// tufWhole is metadata by go-tuf, as a Rekor v1 log records it itself with its root.
func tufWhole(tb testing.TB, l *receipttest.V1Log, metadata string, roots ...string) *signed {
	tb.Helper()
	s := &signed{format: "tuf", signature: readTUF(tb, metadata)}
	for _, root := range roots {
		s.keys = append(s.keys, readTUF(tb, root))
	}
	s.policy.Now = timeFor("tuf")
	s.recordTUF(tb, l, nil)
	return s
}

func readTUF(tb testing.TB, name string) []byte {
	return readFile(tb, filepath.Join("../../formats/tuf/testdata", name))
}

// recordTUF does what a gateway does, with a record that may be changed.
func (s *signed) recordTUF(tb testing.TB, l *receipttest.V1Log, change func(*formats.Whole)) {
	tb.Helper()
	facts, verified := s.facts(tb, receiptpb.Receipt_NATIVE)
	record := *facts.Description.Whole
	if change != nil {
		change(&record)
	}
	body, err := tufrecord.Body(record)
	if err != nil {
		tb.Fatal(err)
	}
	logged := l.AddBodies(s.policy.Now, tufrecord.KindName, body)[0]
	raw, err := receipt.EncodeProof(logged)
	if err != nil {
		tb.Fatal(err)
	}
	r := receipt.New(facts)
	r.Entries = append(r.Entries, receipt.RecordTUF(record, verified.Signers[0].SPKI))
	if s.receipt, err = receipt.Complete(r, []receipt.Proof{{Kind: receipt.KindTransparencyLogEntry, Bytes: raw, Body: body}}); err != nil {
		tb.Fatal(err)
	}
	s.log = receipttest.NewLog(tb, origin)
}

// TestTUF verifies receipts of metadata that Rekor v1 records itself.
func TestTUF(t *testing.T) {
	for metadata, roots := range map[string][]string{
		"targets-mixed.json": {"root-1.json"}, "snapshot.json": {"root-1.json"}, "timestamp.json": {"root-1.json"},
		"root-1.json": {"root-1.json"}, "root-2.json": {"root-1.json"}, "root-3.json": {"root-1.json", "root-2.json"},
	} {
		t.Run(metadata, func(t *testing.T) {
			l := receipttest.NewV1Log(t)
			s := tufWhole(t, l, metadata, roots...)
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

func readAllTUF(tb testing.TB, names []string) (files [][]byte) {
	for _, n := range names {
		files = append(files, readTUF(tb, n))
	}
	return files
}

// TestTUFTarget: the artifact may be a target that the metadata lists.
func TestTUFTarget(t *testing.T) {
	l := receipttest.NewV1Log(t)
	s := &signed{format: "tuf", signature: readTUF(t, "targets-mixed.json"), keys: readAllTUF(t, []string{"root-1.json"}), content: readTUF(t, "target.txt")}
	s.policy.Now = timeFor("tuf")
	s.recordTUF(t, l, nil)
	o := s.options()
	o.TrustedRoot = l.Root()
	if _, err := s.verify(t, s.receipt, o); err != nil {
		t.Error(err)
	}
	s.content = append(bytes.Clone(s.content), '!')
	s.refused(t, o, receipt.ReasonArtifactMismatch, nil)
}

// TestTUFRoots: the record has the root that was sent. The reader's own may be a later one, as long as the same
// keys have signed by it; one that does not name them is as good as none.
func TestTUFRoots(t *testing.T) {
	l := receipttest.NewV1Log(t)
	s := tufWhole(t, l, "targets-mixed.json", "root-1.json")
	o := s.options()
	o.TrustedRoot = l.Root()
	for name, roots := range map[string][]string{"a later one": {"root-3.json"}, "a chain": {"root-1.json", "root-2.json"}} {
		o.ExpectedKeys, o.ExpectedSigners = readAllTUF(t, roots), nil
		if _, err := s.verify(t, s.receipt, o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, root := range []string{"expired-root.json", "twice-root.json"} {
		o.ExpectedKeys = readAllTUF(t, []string{root})
		if report, err := s.verify(t, s.receipt, o); err == nil || report != nil {
			t.Errorf("verified by %s", root)
		}
	}
}

// TestTUFRecords: an entry that the log has, and that says something else than the metadata with its root, is no record of it.
func TestTUFRecords(t *testing.T) {
	l := receipttest.NewV1Log(t)
	of := func(name string) *formats.Whole {
		facts, _ := tufWhole(t, l, name, "root-1.json").facts(t, receiptpb.Receipt_NATIVE)
		return facts.Description.Whole
	}
	snapshot, second := of("snapshot.json"), of("root-2.json")
	for name, change := range map[string]func(*formats.Whole){
		"another role": func(w *formats.Whole) { w.Signature = snapshot.Signature },
		"another root": func(w *formats.Whole) { w.Key = second.Signature },
		"signature order": func(w *formats.Whole) {
			w.Signature = bytes.Replace(w.Signature, []byte(`"signatures":[`), []byte(`"signatures":[ `), 1)
		},
		"as it was sent": func(w *formats.Whole) { w.Signature = readTUF(t, "targets-mixed.json") },
		"spec version":   func(w *formats.Whole) { w.SpecVersion = "1.0" },
		"exchanged":      func(w *formats.Whole) { w.Signature, w.Key = w.Key, w.Signature },
	} {
		t.Run(name, func(t *testing.T) {
			s := tufWhole(t, l, "targets-mixed.json", "root-1.json")
			s.recordTUF(t, l, change)
			o := s.options()
			o.TrustedRoot = l.Root()
			s.refused(t, o, receipt.ReasonEntryMismatch, nil)
		})
	}
}

// TestTUFEdits: nothing in a receipt with such an entry can be changed that decides anything.
func TestTUFEdits(t *testing.T) {
	l := receipttest.NewV1Log(t)
	s, other := tufWhole(t, l, "targets-mixed.json", "root-1.json"), tufWhole(t, l, "snapshot.json", "root-1.json")
	ssh := whole(t, l, "ssh", "ed25519.sig", "ed25519.pub", "artifact.txt")
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
		"as a rekord":      {receipt.ReasonClaimMismatch, func(r *receiptpb.Receipt) { of(r).KindVersion.Kind = "rekord" }},
		"version":          {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { of(r).KindVersion.Version = "0.0.2" }},
		"body":             {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { of(r).CanonicalizedBody[99] ^= 1 }},
		"body, longer":     {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { of(r).CanonicalizedBody = append(of(r).CanonicalizedBody, '\n') }},
		"of another role":  {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Entries = other.receipt.GetEntries() }},
		"one of another":   {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Entries = append(r.Entries, other.receipt.GetEntries()...) }},
		"of a rekord":      {receipt.ReasonClaimMismatch, func(r *receiptpb.Receipt) { r.Entries = ssh.receipt.GetEntries() }},
		"projected":        {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Representation = receiptpb.Receipt_PROJECTED }},
		"time":             {receipt.ReasonProofInvalid, func(r *receiptpb.Receipt) { of(r).IntegratedTime-- }},
		"promise":          {receipt.ReasonProofInvalid, func(r *receiptpb.Receipt) { of(r).InclusionPromise = nil }},
		"the other root":   {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Signature.Keys = readAllTUF(t, []string{"root-3.json"}) }},
		"no root":          {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Signature.Keys = nil }},
		"spki":             {receipt.ReasonClaimMismatch, func(r *receiptpb.Receipt) { r.Entries[0].Spki = ssh.receipt.Entries[0].Spki; rehint(r) }},
		"recipe":           {receipt.ReasonClaimMismatch, func(r *receiptpb.Receipt) { r.Entries[0].Recipe = &receiptpb.Recipe{Artifact: true} }},
		"signature":        {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Entries[0].Bundle.GetMessageSignature().Signature[5] ^= 1 }},
		"digest":           {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Entries[0].Bundle.GetMessageSignature().MessageDigest.Digest[5] ^= 1 }},
		"digest algorithm": {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Entries[0].Bundle.GetMessageSignature().MessageDigest.Algorithm++ }},
		"hint":             {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { publicKey(r).Hint = "another" }},
	} {
		t.Run(name, func(t *testing.T) { s.refused(t, o, c.want, c.change) })
	}
}

// publicKey returns that of the bundle of a receipt's first entry.
func publicKey(r *receiptpb.Receipt) *commonpb.PublicKeyIdentifier {
	return r.Entries[0].Bundle.VerificationMaterial.Content.(*bundlepb.VerificationMaterial_PublicKey).PublicKey
}

// rehint has the bundle of a receipt's first entry name the key that the entry has.
func rehint(r *receiptpb.Receipt) { publicKey(r).Hint = receipt.KeyHint(r.Entries[0].Spki) }
