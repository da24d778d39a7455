// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt/receipttest"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

func TestVerify(t *testing.T) {
	for name, s := range map[string]*signed{"native": native(t), "projected": projected(t, 1), "two signers": projected(t, 2)} {
		t.Run(name, func(t *testing.T) {
			report, err := receipt.Verify(t.Context(), s.receipt, s.options())
			if err != nil {
				t.Fatal(err)
			}
			if len(report.Entries) != len(s.receipt.GetEntries()) || report.Entries[0].Origin != origin || report.Entries[0].Index != 5 {
				t.Errorf("entries %+v", report.Entries)
			}
			wants := []string{"verified over 10 bytes", "signer: as expected", "index 5 in log " + origin, "artifact: sha256:", "time: "}
			for _, want := range wants {
				if !strings.Contains(report.String(), want) {
					t.Errorf("report lacks %q:\n%s", want, report)
				}
			}
		})
	}
}

func TestVerifyByIdentity(t *testing.T) {
	s := projected(t, 2)
	o := s.options()
	o.ExpectedKeys, o.ExpectedSigners = nil, s.signers
	if _, err := receipt.Verify(t.Context(), s.receipt, o); err != nil {
		t.Error(err)
	}
	o.ExpectedSigners = s.signers[:1]
	s.refused(t, o, receipt.ReasonSignerMismatch, nil)
}

func TestSignerMustBeExpected(t *testing.T) {
	for name, s := range map[string]*signed{"native": native(t), "projected": projected(t, 1)} {
		t.Run(name, func(t *testing.T) {
			o := s.options()
			o.ExpectedKeys = nil
			s.refused(t, o, receipt.ReasonNoExpectedSigner, nil)

			other := newKey(t)
			o.ExpectedSigners = ids(t, other)
			s.refused(t, o, receipt.ReasonSignerMismatch, nil)
			o.ExpectedSigners = nil
			if o.ExpectedKeys = [][]byte{spki(t, other)}; s.format == "x509" {
				o.ExpectedKeys[0] = pemOf(o.ExpectedKeys[0])
			}
			s.refused(t, o, receipt.ReasonSignerMismatch, nil)
			// A receipt that claims the expected signer for a stranger's signature.
			s.refused(t, o, receipt.ReasonSignatureInvalid, func(r *receiptpb.Receipt) {
				r.Signers[0].Spki = spki(t, other)
			})
		})
	}
}

func TestAnySignerIsReported(t *testing.T) {
	s := native(t)
	o := s.options()
	o.ExpectedKeys, o.AnySigner = nil, true
	report, err := receipt.Verify(t.Context(), s.receipt, o)
	if err != nil {
		t.Fatal(err)
	}
	if report.SignerChecked || !strings.Contains(report.String(), "SIGNER NOT CHECKED") {
		t.Errorf("report does not say that the signer was not checked:\n%s", report)
	}
}

func TestTampering(t *testing.T) {
	s := native(t)
	for name, test := range tamperings(t, s) {
		t.Run(name, func(t *testing.T) { s.refused(t, s.options(), test.want, test.change) })
	}
}

// tampering is a change of a receipt, and why it is refused then.
type tampering struct {
	want   formats.Reason
	change func(*receiptpb.Receipt)
}

// tamperings are what can be changed in a native receipt.
func tamperings(t *testing.T, s *signed) map[string]tampering {
	foreign := s.log.Add(record(t, native(t)))[0]
	tle := func(r *receiptpb.Receipt) *rekorpb.TransparencyLogEntry {
		return r.Entries[0].Bundle.VerificationMaterial.TlogEntries[0]
	}
	return map[string]tampering{
		"media type":        {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { r.MediaType = "" }},
		"no entries":        {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { r.Entries = nil }},
		"no proof":          {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { tle(r).InclusionProof = nil }},
		"no representation": {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { r.Representation = 0 }},
		"unknown digest":    {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { r.Artifact.Digests[0].Algorithm = "md5" }},
		"signature":         {receipt.ReasonSignatureInvalid, func(r *receiptpb.Receipt) { r.Signature.Content[20] ^= 1 }},
		"format":            {receipt.ReasonSignatureInvalid, func(r *receiptpb.Receipt) { r.Signature.Format = "suffixed" }},
		"digest":            {receipt.ReasonArtifactMismatch, func(r *receiptpb.Receipt) { r.Artifact.Digests[0].Value[0] ^= 1 }},
		"digest not bound": {receipt.ReasonArtifactMismatch, func(r *receiptpb.Receipt) {
			r.Artifact.Digests = append(r.Artifact.Digests, &receiptpb.Digest{Algorithm: "sha512"})
		}},
		"size":                 {receipt.ReasonArtifactMismatch, func(r *receiptpb.Receipt) { r.Artifact.Size++ }},
		"another signer, too":  {receipt.ReasonSignerMismatch, func(r *receiptpb.Receipt) { r.Signers = append(r.Signers, &receiptpb.Signer{Spki: []byte("x")}) }},
		"embedded":             {receipt.ReasonClaimMismatch, func(r *receiptpb.Receipt) { r.Artifact.Embedded = true }},
		"signing time":         {receipt.ReasonClaimMismatch, func(r *receiptpb.Receipt) { r.Signature.ClaimedTime = timestamppb.New(made) }},
		"finding":              {receipt.ReasonClaimMismatch, func(r *receiptpb.Receipt) { r.Findings = []*receiptpb.Finding{{Reason: "X"}} }},
		"other representation": {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Representation = receiptpb.Receipt_PROJECTED }},
		"recipe":               {receipt.ReasonClaimMismatch, func(r *receiptpb.Receipt) { r.Entries[0].Recipe.Suffix = []byte("x") }},
		"entry's key":          {receipt.ReasonClaimMismatch, func(r *receiptpb.Receipt) { r.Entries[0].Spki = []byte("x") }},
		"bundle's digest":      {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Entries[0].Bundle.GetMessageSignature().MessageDigest.Digest[0] ^= 1 }},
		"bundle's signature":   {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Entries[0].Bundle.GetMessageSignature().Signature[9] ^= 1 }},
		"bundle's hint":        {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Entries[0].Bundle.VerificationMaterial.GetPublicKey().Hint = "x" }},
		"entry for another":    {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Entries[0].Bundle.VerificationMaterial.TlogEntries[0] = foreign }},
		"entry's body":         {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { tle(r).CanonicalizedBody[0] = ' ' }},
		"entry's kind":         {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { tle(r).KindVersion.Version = "0.0.1" }},
		"index":                {receipt.ReasonProofInvalid, func(r *receiptpb.Receipt) { tle(r).LogIndex++ }},
		"both indexes":         {receipt.ReasonProofInvalid, func(r *receiptpb.Receipt) { tle(r).LogIndex++; tle(r).InclusionProof.LogIndex++ }},
		"negative index":       {receipt.ReasonProofInvalid, func(r *receiptpb.Receipt) { tle(r).LogIndex, tle(r).InclusionProof.LogIndex = -1, -1 }},
		"log id":               {receipt.ReasonProofInvalid, func(r *receiptpb.Receipt) { tle(r).LogId = &commonpb.LogId{KeyId: []byte("x")} }},
		"integrated time":      {receipt.ReasonProofInvalid, func(r *receiptpb.Receipt) { tle(r).IntegratedTime = 1 }},
		"promise":              {receipt.ReasonProofInvalid, func(r *receiptpb.Receipt) { tle(r).InclusionPromise = &rekorpb.InclusionPromise{} }},
		"proof":                {receipt.ReasonProofInvalid, func(r *receiptpb.Receipt) { tle(r).InclusionProof.Hashes[0][0] ^= 1 }},
		"short proof":          {receipt.ReasonProofInvalid, func(r *receiptpb.Receipt) { tle(r).InclusionProof.Hashes = nil }},
		"tree size":            {receipt.ReasonProofInvalid, func(r *receiptpb.Receipt) { tle(r).InclusionProof.TreeSize++ }},
		"root hash":            {receipt.ReasonProofInvalid, func(r *receiptpb.Receipt) { tle(r).InclusionProof.RootHash[0] ^= 1 }},
		"checkpoint's size":    {receipt.ReasonCheckpointInvalid, func(r *receiptpb.Receipt) { checkpoint(r, "\n7\n", "\n8\n") }},
		"checkpoint unsigned":  {receipt.ReasonUnknownLog, func(r *receiptpb.Receipt) { checkpoint(r, "\n— "+origin, "\n— other.example") }},
		"checkpoint cut":       {receipt.ReasonCheckpointInvalid, func(r *receiptpb.Receipt) { checkpoint(r, "\n\n", "\n") }},
		"other origin":         {receipt.ReasonUnknownLog, func(r *receiptpb.Receipt) { checkpoint(r, origin+"\n", "other.example\n") }},
	}
}

// checkpoint replaces text in the first entry's checkpoint.
func checkpoint(r *receiptpb.Receipt, old, replacement string) {
	c := r.Entries[0].Bundle.VerificationMaterial.TlogEntries[0].InclusionProof.Checkpoint
	c.Envelope = strings.Replace(c.Envelope, old, replacement, 1)
}

func TestOtherArtifact(t *testing.T) {
	for name, s := range map[string]*signed{"native": native(t), "projected": projected(t, 1)} {
		o := s.options()
		o.Artifact = strings.NewReader("another release\n")
		t.Run(name, func(t *testing.T) { s.refused(t, o, receipt.ReasonArtifactMismatch, nil) })
		o.Artifact = nil
		t.Run(name+" missing", func(t *testing.T) { s.refused(t, o, receipt.ReasonMissingArtifact, nil) })
	}
}

func TestOtherLogKey(t *testing.T) {
	s := native(t)
	o := s.options()
	o.TrustedRoot = receipttest.NewLog(t, origin).Root()
	s.refused(t, o, receipt.ReasonUnknownLog, nil)
	o.TrustedRoot = receipttest.NewLog(t, "other.example").Root()
	s.refused(t, o, receipt.ReasonUnknownLog, nil)
	o.TrustedRoot = nil
	s.refused(t, o, receipt.ReasonUnknownLog, nil)
}

func TestLogKeyOutOfUse(t *testing.T) {
	s := native(t)
	for name, test := range map[string]struct {
		start, end time.Time
		ok         bool
	}{
		"retired later":   {made.Add(-time.Hour), made.Add(time.Minute), true},
		"retired before":  {made.Add(-time.Hour), made.Add(-time.Minute), true},
		"not used so far": {made.Add(2 * time.Hour), time.Time{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			root, err := trustroot.New(trustroot.LogKey{Origin: origin, SPKI: s.log.SPKI(), Start: test.start, End: test.end})
			if err != nil {
				t.Fatal(err)
			}
			o := s.options()
			o.TrustedRoot = root
			if !test.ok {
				s.refused(t, o, receipt.ReasonUnknownLog, nil)
				return
			}
			report, err := receipt.Verify(t.Context(), s.receipt, o)
			if err != nil || !strings.Contains(report.String(), "was retired on") {
				t.Errorf("%v\n%s", err, report)
			}
		})
	}
}

// Every signature that the threshold needs must be logged, one entry twice will not do.
func TestThreshold(t *testing.T) {
	s := projected(t, 2)
	s.refused(t, s.options(), receipt.ReasonEntriesMissing, func(r *receiptpb.Receipt) { r.Entries = r.Entries[:1] })
	s.refused(t, s.options(), receipt.ReasonEntriesMissing, func(r *receiptpb.Receipt) { r.Entries[1] = proto.CloneOf(r.Entries[0]) })
	s.refused(t, s.options(), receipt.ReasonClaimMismatch, func(r *receiptpb.Receipt) { r.Signers = r.Signers[:1] })
}

func TestReaderFails(t *testing.T) {
	s := native(t)
	o := s.options()
	broken := errors.New("broken")
	o.Artifact = iotest.ErrReader(broken)
	if _, err := receipt.Verify(t.Context(), s.receipt, o); !errors.Is(err, broken) {
		t.Errorf("error %v, want the reader's", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o.Artifact = bytes.NewReader(artifact)
	if _, err := receipt.Verify(ctx, s.receipt, o); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}

func TestMarshal(t *testing.T) {
	s := native(t)
	b, err := receipt.Marshal(s.receipt)
	if err != nil {
		t.Fatal(err)
	}
	read, err := receipt.Unmarshal(b)
	if err != nil || !proto.Equal(read, s.receipt) {
		t.Fatalf("reads something else: %v", err)
	}
	for name, bad := range map[string]string{
		"empty":         "",
		"a bundle":      `{"mediaType":"` + receipt.BundleMediaType + `"}`,
		"unknown field": strings.Replace(string(b), `"mediaType"`, `"more":1,"mediaType"`, 1),
		"two values":    string(b) + string(b),
		"too large":     strings.Repeat(" ", receipt.MaxSize) + string(b),
	} {
		if r, err := receipt.Unmarshal([]byte(bad)); r != nil || formats.ReasonOf(err) != receipt.ReasonMalformedReceipt {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestCompleteRefuses(t *testing.T) {
	s := native(t)
	known := receipt.Proof{Kind: receipt.KindTransparencyLogEntry}
	for name, proofs := range map[string][]receipt.Proof{
		"none": nil, "too many": {known, known}, "no kind": {{}}, "unknown kind": {{Kind: "sealed"}},
		"no proof": {{Kind: receipt.KindTransparencyLogEntry, Bytes: []byte("x")}}, "no own record": {{Kind: receipt.KindOwnRecord, Body: []byte("x")}},
	} {
		if _, err := receipt.Complete(s.receipt, proofs); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A timestamp that comes with a proof stands in the entry's bundle.
func TestCompleteWithTimestamps(t *testing.T) {
	s := native(t)
	logged := s.receipt.GetEntries()[0].GetBundle().GetVerificationMaterial().GetTlogEntries()[0]
	raw, err := receipt.EncodeProof(logged)
	if err != nil {
		t.Fatal(err)
	}
	made, err := receipt.Complete(s.receipt, []receipt.Proof{{
		Kind: receipt.KindTransparencyLogEntry, Bytes: raw, Body: logged.GetCanonicalizedBody(), Tokens: [][]byte{[]byte("a"), []byte("b")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	tokens := made.GetEntries()[0].GetBundle().GetVerificationMaterial().GetTimestampVerificationData().GetRfc3161Timestamps()
	if len(tokens) != 2 || string(tokens[1].GetSignedTimestamp()) != "b" {
		t.Errorf("tokens %v", tokens)
	}
	if s.receipt = made; s.receipt.GetEntries()[0].GetBundle().GetVerificationMaterial().GetTlogEntries()[0].GetLogIndex() != logged.GetLogIndex() {
		t.Error("the proof is another one")
	}
}

// FuzzVerify replaces a part of a receipt: what still verifies must prove the same. It works on
// the binary form, in which most changes leave a receipt that can be read.
func FuzzVerify(f *testing.F) {
	g := newGateway(f)
	var receipts [2][]byte
	all := [2]*signed{projected(f, 1), attested(f, g, true)}
	for i, s := range all {
		var err error
		if receipts[i], err = proto.Marshal(s.receipt); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(false, uint16(0), uint16(0), []byte{})
	f.Add(true, uint16(0), uint16(0), []byte{})
	f.Add(true, uint16(200), uint16(1), []byte{7})
	f.Fuzz(func(t *testing.T, statement bool, at, n uint16, part []byte) {
		i := 0
		if statement {
			i = 1
		}
		s, b := all[i], receipts[i]
		from := int(at) % len(b)
		to := min(from+int(n), len(b))
		var r receiptpb.Receipt
		if proto.Unmarshal(slices.Concat(b[:from], part, b[to:]), &r) != nil {
			return
		}
		o := s.options()
		o.Historical, o.GatewayTrust = formats.AllowAll(true), trust(t, g, 0, -1)
		if report, err := receipt.Verify(t.Context(), &r, o); err == nil {
			checkSameProof(t, s.receipt, &r, report)
		}
	})
}

// FuzzUnmarshal: what is read and written is read again as the same.
func FuzzUnmarshal(f *testing.F) {
	b, err := receipt.Marshal(native(f).receipt)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := receipt.Unmarshal(b)
		if err != nil {
			if r != nil || formats.ReasonOf(err) != receipt.ReasonMalformedReceipt {
				t.Fatalf("receipt %v beside error %v", r, err)
			}
			return
		}
		again, err := receipt.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if r2, err := receipt.Unmarshal(again); err != nil || !proto.Equal(r, r2) {
			t.Fatalf("reads something else than it wrote: %v", err)
		}
	})
}

func checkSameProof(t *testing.T, want, got *receiptpb.Receipt, report *receipt.Report) {
	if report == nil || len(report.Entries) == 0 || !report.SignerChecked {
		t.Fatal("nothing proven, and no error")
	}
	for _, e := range got.GetEntries() {
		a, b := proto.CloneOf(want.GetEntries()[0]), proto.CloneOf(e)
		a.Bundle.VerificationMaterial.TimestampVerificationData, b.Bundle.VerificationMaterial.TimestampVerificationData = nil, nil
		// A receipt may leave out or add signatures on the checkpoint that are not the log's.
		a.Bundle.VerificationMaterial.TlogEntries[0].InclusionProof.Checkpoint = nil
		b.Bundle.VerificationMaterial.TlogEntries[0].InclusionProof.Checkpoint = nil
		if !proto.Equal(a, b) {
			t.Fatalf("another entry verifies: %v", b)
		}
	}
	if len(got.GetSigners()) != 1 || sha256.Sum256(got.GetSigners()[0].GetSpki()) != sha256.Sum256(want.GetSigners()[0].GetSpki()) {
		t.Fatal("another signer verifies")
	}
}

// TestFlippedBytes changes every byte of a receipt's JSON, one at a time.
func TestFlippedBytes(t *testing.T) {
	s := projected(t, 1)
	b, err := receipt.Marshal(s.receipt)
	if err != nil {
		t.Fatal(err)
	}
	root := s.log.Root()
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		r, err := receipt.Unmarshal(bad)
		if err != nil {
			continue
		}
		o := s.options()
		o.TrustedRoot = root
		if report, err := receipt.Verify(t.Context(), r, o); err == nil {
			checkSameProof(t, s.receipt, r, report)
		}
	}
}

// A version 1 receipt has nothing of version 2, and no version names a signer twice.
func TestEditedStructure(t *testing.T) {
	toFirst := func(r *receiptpb.Receipt) { r.FormatVersion, r.Recorded = 0, nil }
	for name, change := range map[string]func(*receiptpb.Receipt){
		"version 1 with a signature index": func(r *receiptpb.Receipt) {
			toFirst(r)
			r.Entries[0].Signature = 7
		},
		"a signer twice": func(r *receiptpb.Receipt) {
			r.Signers = append(r.Signers, r.Signers[0])
			r.Recorded[0].Signers = append(r.Recorded[0].Signers, 1)
		},
		"a signer twice under another name": func(r *receiptpb.Receipt) {
			toFirst(r)
			again := proto.CloneOf(r.Signers[0])
			again.Fingerprint = "somebody else"
			r.Signers = append(r.Signers, again)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := native(t)
			s.refused(t, s.options(), receipt.ReasonClaimMismatch, change)
		})
	}
}

// TestUnboundFinding: a weakness that a receipt names and nothing binds is printed as the receipt's word.
func TestUnboundFinding(t *testing.T) {
	s := native(t)
	o := s.options()
	o.Historical = formats.AllowAll(true)
	r := proto.CloneOf(s.receipt)
	r.Findings = []*receiptpb.Finding{{Reason: string(formats.ReasonKeyExpired)}}
	report, err := receipt.Verify(t.Context(), r, o)
	if err != nil {
		t.Fatal(err)
	}
	if first := report.Unproven[0]; !strings.HasPrefix(first, "receipt says: the gateway found KEY_EXPIRED") {
		t.Errorf("the report has %q", first)
	}
}
