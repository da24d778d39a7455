// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// TestCondensedCorpus: of each receipt that was not edited, the verdicts on what an embedded proof has of it are those on the receipt. Only
// where nobody names a key is one refused that the receipt's own copy is enough for.
func TestCondensedCorpus(t *testing.T) {
	t.Parallel()
	yes, withoutKey := 0, 0
	for _, folder := range receiptFolders(t) {
		if strings.HasPrefix(filepath.Base(folder), "edited-") {
			continue
		}
		kept := readVerdicts(t, folder)
		whole, err := receipt.Unmarshal(readFile(t, filepath.Join(folder, "receipt.json")))
		if err != nil {
			t.Fatal(err)
		}
		condensed, _, err := receipt.Condensed(whole)
		if err != nil {
			t.Errorf("%s: %v", folder, err)
			continue
		}
		for _, v := range kept.Verifications {
			o := v.options(t, folder, kept.Trust)
			o.Condensed = true
			said, err := receipt.Verify(t.Context(), condensed, o)
			switch {
			case formats.ReasonOf(err) == formats.ReasonMissingKey && len(v.Keys) == 0:
				withoutKey++
			case err != nil:
				if got := refusal(t, err); got.Verdict != v.Verdict {
					t.Errorf("%s: %s: %s, and the receipt %s", folder, v.Name, got, v.verdict)
				}
			default:
				yes++
				if d := kept.compare(v.verdict, verdict{Verdict: verdictOK}, report{said.Proven, said.Unproven}); d != "" {
					t.Errorf("%s: %s: %s", folder, v.Name, d)
				}
			}
		}
	}
	if yes < 100 || withoutKey == 0 {
		t.Errorf("%d accepted, %d without a key", yes, withoutKey)
	}
}

// TestCondensedAsked: only a verifier who says so takes a receipt that leaves anything out.
func TestCondensedAsked(t *testing.T) {
	for name, b := range everyBatched(t) {
		condensed, _, err := receipt.Condensed(b.receipt)
		if err != nil {
			t.Fatal(err)
		}
		b.receipt = condensed
		if name != "attested" {
			b.refused(t, b.options(), receipt.ReasonMalformedReceipt, nil)
		}
		o := b.options()
		o.Condensed = true
		if _, err := receipt.Verify(t.Context(), condensed, o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCondensedRefuses: what stands in an embedded proof is anybody's.
func TestCondensedRefuses(t *testing.T) {
	b := batch(t, projected(t, 1), receiptpb.Receipt_PROJECTED)
	other := batch(t, projected(t, 1), receiptpb.Receipt_PROJECTED)
	condensed, _, err := receipt.Condensed(b.receipt)
	if err != nil {
		t.Fatal(err)
	}
	b.receipt = condensed
	o := b.options()
	o.Condensed = true
	own := func(r *receiptpb.Receipt) *receiptpb.OwnRecord { return r.GetEntries()[0].GetOwn() }
	for name, c := range map[string]struct {
		want   formats.Reason
		change func(*receiptpb.Receipt)
	}{
		"a record of another":    {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { own(r).Body = other.record().GetBody() }},
		"the bundle of another":  {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { r.Entries[0].Bundle = other.receipt.GetEntries()[0].GetBundle() }},
		"a recipe":               {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { r.Entries[0].Recipe = &receiptpb.Recipe{} }},
		"a key":                  {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { r.Entries[0].Spki = []byte{1} }},
		"the proof of another":   {receipt.ReasonUnknownLog, func(r *receiptpb.Receipt) { own(r).Proof = strings.ReplaceAll(own(r).Proof, ownOrigin, "x.example") }},
		"another signer":         {receipt.ReasonSignerMismatch, func(r *receiptpb.Receipt) { r.Signers = other.receipt.GetSigners() }},
		"another file":           {receipt.ReasonArtifactMismatch, func(r *receiptpb.Receipt) { r.Artifact.Digests[0].Value[0]++ }},
		"no anchor":              {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { own(r).Anchors = nil }},
		"the anchor of another":  {receipt.ReasonUnknownGatewayKey, func(r *receiptpb.Receipt) { own(r).Anchors = other.record().GetAnchors() }},
		"another anchor's index": {receipt.ReasonProofInvalid, func(r *receiptpb.Receipt) { anchorLog(own(r).Anchors[0]).LogIndex++ }},
		"another index":          {receipt.ReasonProofInvalid, func(r *receiptpb.Receipt) { own(r).Proof = strings.Replace(own(r).Proof, "index 3", "index 2", 1) }},
		"two entries":            {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Entries = append(r.Entries, r.Entries[0]) }},
		"as NATIVE":              {receipt.ReasonEntryMismatch, represent(receiptpb.Receipt_NATIVE)},
		"as ATTESTED":            {receipt.ReasonMalformedReceipt, represent(receiptpb.Receipt_ATTESTED)},
		"as DIRECT":              {receipt.ReasonClaimMismatch, func(r *receiptpb.Receipt) { r.Recorded[0].Way = receiptpb.RecordedSignature_DIRECT }},
		"version 3":              {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { r.FormatVersion = 3 }},
		"a log's entry":          {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { r.Entries[0].Bundle = own(r).GetAnchors()[0].GetBundle() }},
	} {
		t.Run(name, func(t *testing.T) { b.refused(t, o, c.want, c.change) })
	}
}

func represent(as receiptpb.Receipt_Representation) func(*receiptpb.Receipt) {
	return func(r *receiptpb.Receipt) { r.Representation, r.Recorded[0].Representation = as, as }
}

// TestCondensedDirect: of a signature that is in the log itself, the record is left out as well, and nothing goes in its place.
func TestCondensedDirect(t *testing.T) {
	s, other := projected(t, 1), projected(t, 1)
	whole := proto.Size(s.receipt)
	condensed, n, err := receipt.Condensed(s.receipt)
	if err != nil {
		t.Fatal(err)
	}
	if n > whole/2 {
		t.Errorf("%d bytes of %d", n, whole)
	}
	s.receipt = condensed
	s.refused(t, s.options(), receipt.ReasonMalformedReceipt, nil)
	o := s.options()
	o.Condensed = true
	if _, err := receipt.Verify(t.Context(), condensed, o); err != nil {
		t.Error(err)
	}
	entry := func(r *receiptpb.Receipt) *rekorpb.TransparencyLogEntry {
		return r.GetEntries()[0].GetBundle().GetVerificationMaterial().GetTlogEntries()[0]
	}
	for name, c := range map[string]struct {
		want   formats.Reason
		change func(*receiptpb.Receipt)
	}{
		"no entry": {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { r.Entries[0].Bundle = nil }},
		"two": {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) {
			m := r.Entries[0].Bundle.VerificationMaterial
			m.TlogEntries = append(m.TlogEntries, m.TlogEntries[0])
		}},
		"no checkpoint":     {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { entry(r).InclusionProof.Checkpoint = nil }},
		"a media type":      {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { r.Entries[0].Bundle.MediaType = receipt.BundleMediaType }},
		"another's record":  {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { entry(r).CanonicalizedBody = entry(other.receipt).GetCanonicalizedBody() }},
		"another's bundle":  {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Entries = other.receipt.GetEntries() }},
		"another's entry":   {receipt.ReasonUnknownLog, func(r *receiptpb.Receipt) { entry(r).InclusionProof = entry(other.receipt).GetInclusionProof() }},
		"another index":     {receipt.ReasonProofInvalid, func(r *receiptpb.Receipt) { entry(r).LogIndex++ }},
		"another inclusion": {receipt.ReasonProofInvalid, func(r *receiptpb.Receipt) { entry(r).InclusionProof.Hashes[0][0]++ }},
		"as ATTESTED":       {receipt.ReasonNoGatewayTrust, represent(receiptpb.Receipt_ATTESTED)},
	} {
		t.Run(name, func(t *testing.T) { s.refused(t, o, c.want, c.change) })
	}
}

// TestCondensedKeeps: timestamps, an anchor that could not be made again, and all that the report prints.
func TestCondensedKeeps(t *testing.T) {
	b := batch(t, projected(t, 1), receiptpb.Receipt_PROJECTED)
	b.receipt.Artifact.Container = &receiptpb.Digest{Algorithm: "sha256", Value: bytes.Repeat([]byte{7}, 32)}
	tokens := &bundlepb.TimestampVerificationData{Rfc3161Timestamps: []*commonpb.RFC3161SignedTimestamp{{SignedTimestamp: []byte("token")}}}
	b.receipt.Entries[0].Bundle.VerificationMaterial.TimestampVerificationData = tokens
	b.record().Anchors[0].Bundle.VerificationMaterial.TimestampVerificationData = tokens
	want, err := receipt.Verify(t.Context(), b.receipt, b.options())
	if err != nil {
		t.Fatal(err)
	}
	condensed, _, err := receipt.Condensed(b.receipt)
	if err != nil {
		t.Fatal(err)
	}
	o := b.options()
	o.Condensed = true
	got, err := receipt.Verify(t.Context(), condensed, o)
	if err != nil || got.String() != want.String() || !strings.Contains(got.String(), "2 timestamps") || !strings.Contains(got.String(), "inside a file") {
		t.Errorf("%v, %v, want\n%v", err, got, want)
	}
	if again := condensed.GetEntries()[0].GetOwn().GetAnchors(); len(again) != 1 || !proto.Equal(again[0], b.record().GetAnchors()[0]) {
		t.Errorf("anchors %v", again)
	}
	b.record().Anchors[0].Bundle.GetMessageSignature().MessageDigest = nil // as nobody makes one
	condensed, _, err = receipt.Condensed(b.receipt)
	if err != nil || !proto.Equal(condensed.GetEntries()[0].GetOwn().GetAnchors()[0], b.record().GetAnchors()[0]) {
		t.Errorf("another anchor: %v", err)
	}
}
