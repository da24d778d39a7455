// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/attest"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt/receipttest"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

const ownOrigin = "gateway.example/own"

// batched is a submission whose record is in a gateway's own log.
type batched struct {
	*signed
	own   *receipttest.OwnLog
	g     *attest.Signer // attests
	trust *trustroot.Gateway
}

// batch records s again, in an own log that is anchored in s's log.
func batch(tb testing.TB, s *signed, as receiptpb.Receipt_Representation) *batched {
	tb.Helper()
	b := &batched{signed: s, own: receipttest.NewOwnLog(tb, ownOrigin), g: newGateway(tb)}
	s.log = receipttest.NewLog(tb, origin)
	facts, verified := s.facts(tb, as)
	facts.Ways = []receiptpb.RecordedSignature_Way{receiptpb.RecordedSignature_BATCHED}
	r := receipt.New(facts)
	e, record := b.entry(tb, r, verified, as)
	r.Entries = []*receiptpb.LogEntry{e}
	b.complete(tb, r, b.own.Add(record, s.log))
	b.trust = b.gatewayTrust(tb, trustroot.LogRange{Origin: origin})
	return b
}

func (b *batched) entry(tb testing.TB, r *receiptpb.Receipt, v *formats.Verified, as receiptpb.Receipt_Representation) (*receiptpb.LogEntry, hashedrekord.Record) {
	tb.Helper()
	if as == receiptpb.Receipt_ATTESTED {
		signed, err := b.g.Attest(tb.Context(), receipt.ForSignature(r, 0))
		if err != nil {
			tb.Fatal(err)
		}
		return receipt.Attestation(signed)
	}
	e, record, err := receipt.ProjectFor(hashedrekord.Own, v.Projections[0], false)
	if err != nil {
		tb.Fatal(err)
	}
	return e, record
}

func (b *batched) complete(tb testing.TB, skeleton *receiptpb.Receipt, p receipt.Proof) {
	tb.Helper()
	var err error
	if b.receipt, err = receipt.Complete(skeleton, []receipt.Proof{p}); err != nil {
		tb.Fatal(err)
	}
}

// gatewayTrust is in the own log, its anchor key for a range, and the statements' key for all of the own log.
func (b *batched) gatewayTrust(tb testing.TB, r trustroot.LogRange) *trustroot.Gateway {
	tb.Helper()
	trust, err := trustroot.NewGateway(trustroot.GatewayKey{SPKI: b.g.SPKI(), Logs: []trustroot.LogRange{{Origin: ownOrigin}}})
	for _, step := range []func() (*trustroot.Gateway, error){
		func() (*trustroot.Gateway, error) { return trust.WithOwnLog(ownOrigin, b.own.Key) },
		func() (*trustroot.Gateway, error) {
			return trust.WithAnchorKey(ownOrigin, b.own.AnchorSPKI(), map[string]int64{r.Origin: r.From})
		},
	} {
		if err == nil {
			trust, err = step()
		}
	}
	if err == nil && r.To != nil {
		trust, err = trust.RetireAnchorKey(ownOrigin, b.own.AnchorSPKI(), map[string]int64{r.Origin: *r.To})
	}
	if err != nil {
		tb.Fatal(err)
	}
	return trust
}

func (b *batched) options() receipt.Options {
	o := b.signed.options()
	o.GatewayTrust = b.trust
	return o
}

// refused is that of signed, and with a memory too that knows the receipt from somebody who accepts it.
func (b *batched) refused(t *testing.T, o receipt.Options, want formats.Reason, change func(*receiptpb.Receipt)) {
	t.Helper()
	b.signed.refused(t, o, want, change)
	r := proto.CloneOf(b.receipt)
	if change != nil {
		change(r)
	}
	_, wanted := b.verify(t, r, o)
	good := b.options()
	good.Memory = receipt.NewMemory()
	_, _ = b.verify(t, b.receipt, good)
	o.Memory = good.Memory
	if report, err := b.verify(t, r, o); report != nil || !sameError(err, wanted) {
		t.Errorf("with a memory of who accepts it: %v, without: %v", err, wanted)
	}
}

// judgedAlike wants changed receipts to be judged alike with one memory for all of them, in whatever order, and without lines.
func (b *batched) judgedAlike(t *testing.T, other *batched, changes map[string]tampering) {
	t.Helper()
	memory := receipt.NewMemory()
	judge := func(b *batched, r *receiptpb.Receipt, name string) {
		t.Helper()
		o := b.options()
		want, wanted := b.verify(t, r, o)
		o.Memory = memory
		got, err := b.verify(t, r, o)
		if !sameError(err, wanted) || err == nil && (got.String() != want.String() || !slices.EqualFunc(got.Entries, want.Entries, sameEntry)) {
			t.Errorf("%s: with a memory: %v, %v; without: %v, %v", name, got, err, want, wanted)
		}
		o.Memory, o.Silent = nil, true
		got, err = b.verify(t, r, o)
		if !sameError(err, wanted) || err == nil && (len(got.Proven)+len(got.Unproven) > 0 || !slices.EqualFunc(got.Entries, want.Entries, sameEntry)) {
			t.Errorf("%s: silently: %v, %v; else: %v, %v", name, got, err, want, wanted)
		}
	}
	for range 2 {
		for name, c := range changes { // in random order
			r := proto.CloneOf(b.receipt)
			c.change(r)
			judge(b, r, name)
			judge(b, b.receipt, "after "+name)
			judge(other, other.receipt, "another gateway's after "+name)
		}
	}
}

func sameEntry(a, b receipt.Entry) bool {
	return a.Origin == b.Origin && a.Index == b.Index && a.TreeSize == b.TreeSize && slices.Equal(a.Anchors, b.Anchors)
}

func (b *batched) record() *receiptpb.OwnRecord { return b.receipt.GetEntries()[0].GetOwn() }

// everyBatched returns a receipt of each representation.
func everyBatched(tb testing.TB) map[string]*batched {
	return map[string]*batched{
		"native":    batch(tb, native(tb), receiptpb.Receipt_NATIVE),
		"projected": batch(tb, projected(tb, 1), receiptpb.Receipt_PROJECTED),
		"attested":  batch(tb, projected(tb, 1), receiptpb.Receipt_ATTESTED),
	}
}

func TestVerifyBatched(t *testing.T) {
	for name, b := range everyBatched(t) {
		t.Run(name, func(t *testing.T) {
			if v := b.receipt.GetFormatVersion(); v != 4 {
				t.Errorf("version %d", v)
			}
			report, err := receipt.Verify(t.Context(), b.receipt, b.options())
			if err != nil {
				t.Fatal(err)
			}
			want := receipt.Entry{Origin: ownOrigin, Index: 3, TreeSize: 5, Anchors: []receipt.Anchored{{Origin: origin, Index: 5, TreeSize: 7}}}
			if e := report.Entries; len(e) != 1 || e[0].Origin != want.Origin || e[0].Index != want.Index || e[0].TreeSize != want.TreeSize ||
				!slices.Equal(e[0].Anchors, want.Anchors) {
				t.Errorf("entries %+v", e)
			}
			for _, want := range []string{
				"the gateway's own log says that", "record 3 in the gateway's own log " + ownOrigin, "tree of 5 records",
				"anchor: that checkpoint is index 5 in log " + origin, "the anchor is in the log's tree of 7 entries", "signer: as expected",
				"log " + origin + " has the checkpoint's digest alone",
			} {
				if !strings.Contains(report.String(), want) {
					t.Errorf("report lacks %q:\n%s", want, report)
				}
			}
			if c, err := report.ExportCosign(t.Context(), receipt.Export{Dir: t.TempDir(), Artifact: "a"}); formats.ReasonOf(err) != receipt.ReasonExportNotPossible || c != nil {
				t.Errorf("exported for cosign: %v, %v", c, err)
			}
			if x, err := report.ExportTlogProofs(t.TempDir()); err != nil || len(x) != 1 || string(readFile(t, x[0].Spicy)) != strings.TrimPrefix(b.record().GetProof(), "c2sp.org/tlog-proof@v1\n") ||
				!bytes.Equal(readFile(t, x[0].Record), b.record().GetBody()) || len(x[0].Anchors) != 1 || len(x[0].AnchorKeys) != 1 {
				t.Errorf("exported %+v, %v", x, err)
			}
			b.refused(t, b.signed.options(), receipt.ReasonNoGatewayTrust, nil)
		})
	}
}

// TestBatchedRoundTrip: a receipt of version 4 is written and read as every other one.
func TestBatchedRoundTrip(t *testing.T) {
	b := batch(t, projected(t, 1), receiptpb.Receipt_PROJECTED)
	encoded, err := receipt.Marshal(b.receipt)
	if err != nil {
		t.Fatal(err)
	}
	again, err := receipt.Unmarshal(encoded)
	if err != nil || !proto.Equal(again, b.receipt) {
		t.Errorf("%v\n%s", err, encoded)
	}
}

// TestCosignaturesAreNotAnchored: what witnesses sign after it was anchored changes nothing.
func TestCosignaturesAreNotAnchored(t *testing.T) {
	b := batch(t, native(t), receiptpb.Receipt_NATIVE)
	witness, _ := noteKey(t, "witness.example")
	p, err := receipt.ParseOwnProof([]byte(b.record().GetProof()))
	if err != nil {
		t.Fatal(err)
	}
	p.Checkpoint = b.own.Checkpoint(witness)
	text, err := receipt.FormatOwnProof(p)
	if err != nil {
		t.Fatal(err)
	}
	r := proto.CloneOf(b.receipt)
	r.GetEntries()[0].GetOwn().Proof = string(text)
	plain, err := receipt.Verify(t.Context(), b.receipt, b.options())
	if err != nil {
		t.Fatal(err)
	}
	cosigned, err := receipt.Verify(t.Context(), r, b.options())
	if err != nil || cosigned.String() != plain.String() {
		t.Errorf("%v\n%s", err, cosigned)
	}
}

// TestRangesOfBatched: an anchor key counts by the index of the anchor, a statement's by that of the record.
func TestRangesOfBatched(t *testing.T) {
	four, five := int64(4), int64(5)
	b := batch(t, projected(t, 1), receiptpb.Receipt_ATTESTED) // record 3, anchored at 5
	for name, r := range map[string]trustroot.LogRange{
		"retired": {Origin: origin, To: &four}, "not yet": {Origin: origin, From: 6}, "in another log": {Origin: "other.example"},
	} {
		o := b.options()
		o.GatewayTrust = b.gatewayTrust(t, r)
		t.Run(name, func(t *testing.T) { b.refused(t, o, receipt.ReasonRetiredGatewayKey, nil) })
	}
	o := b.options()
	o.GatewayTrust = b.gatewayTrust(t, trustroot.LogRange{Origin: origin, From: 5, To: &five})
	if _, err := receipt.Verify(t.Context(), b.receipt, o); err != nil {
		t.Error(err)
	}
	var err error
	if o.GatewayTrust, err = b.trust.Retire(b.g.SPKI(), map[string]int64{ownOrigin: 2}); err != nil {
		t.Fatal(err)
	}
	b.refused(t, o, receipt.ReasonRetiredGatewayKey, nil)
	if o.GatewayTrust, err = b.trust.Retire(b.g.SPKI(), map[string]int64{ownOrigin: 3}); err != nil {
		t.Fatal(err)
	}
	o.Artifact = bytes.NewReader(artifact)
	if _, err := receipt.Verify(t.Context(), b.receipt, o); err != nil {
		t.Error(err)
	}
}

// TestOtherTrust: own log and anchor must be those of the gateway that the reader trusts.
func TestOtherTrust(t *testing.T) {
	b := batch(t, native(t), receiptpb.Receipt_NATIVE)
	other := batch(t, native(t), receiptpb.Receipt_NATIVE)
	o := b.options()
	o.GatewayTrust = other.trust // the same origin with another key
	b.refused(t, o, receipt.ReasonCheckpointInvalid, nil)
	o.GatewayTrust = trust(t, b.g, 0, -1)
	b.refused(t, o, receipt.ReasonUnknownLog, nil)
	anchors, err := (&trustroot.Gateway{}).WithOwnLog(ownOrigin, b.own.Key)
	if err != nil {
		t.Fatal(err)
	}
	o.GatewayTrust = anchors
	b.refused(t, o, receipt.ReasonUnknownGatewayKey, nil)
	o = b.options()
	o.TrustedRoot = receipttest.NewLog(t, "other.example").Root()
	b.refused(t, o, receipt.ReasonUnknownLog, nil)
	o.TrustedRoot = receipttest.NewLog(t, origin).Root() // the same origin with another key
	b.refused(t, o, receipt.ReasonUnknownLog, nil)
	o.TrustedRoot, err = trustroot.New(trustroot.LogKey{Origin: origin, SPKI: b.log.SPKI(), Start: o.Now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	b.refused(t, o, receipt.ReasonUnknownLog, nil)
}

// TestOwnLogNamedAsAnother: indexes of the two could be mistaken for each other.
func TestOwnLogNamedAsAnother(t *testing.T) {
	b := batch(t, native(t), receiptpb.Receipt_NATIVE)
	l := receipttest.NewLog(t, "gateway.example")
	root, err := trustroot.New(
		trustroot.LogKey{Origin: origin, SPKI: b.log.SPKI(), Start: time.Unix(0, 0)},
		trustroot.LogKey{Origin: "gateway.example", SPKI: l.SPKI(), Start: time.Unix(0, 0)},
	)
	if err != nil {
		t.Fatal(err)
	}
	o := b.options()
	o.TrustedRoot = root
	if _, err := receipt.Verify(t.Context(), b.receipt, o); err != nil {
		t.Fatal(err)
	}
	named := batch(t, native(t), receiptpb.Receipt_NATIVE)
	named.own = receipttest.NewOwnLog(t, "gateway.example")
	e := named.receipt.GetEntries()[0]
	named.complete(t, named.receipt, reproved(t, named, e))
	if o.GatewayTrust, err = (&trustroot.Gateway{}).WithOwnLog("gateway.example", named.own.Key); err != nil {
		t.Fatal(err)
	}
	if o.GatewayTrust, err = o.GatewayTrust.WithAnchorKey("gateway.example", named.own.AnchorSPKI(), map[string]int64{origin: 0}); err != nil {
		t.Fatal(err)
	}
	alone := named.signed.options()
	alone.GatewayTrust = o.GatewayTrust
	if _, err := receipt.Verify(t.Context(), named.receipt, alone); err != nil {
		t.Fatal(err)
	}
	if alone.TrustedRoot, err = trustroot.New(
		trustroot.LogKey{Origin: origin, SPKI: named.log.SPKI(), Start: time.Unix(0, 0)},
		trustroot.LogKey{Origin: "gateway.example", SPKI: l.SPKI(), Start: time.Unix(0, 0)},
	); err != nil {
		t.Fatal(err)
	}
	named.refused(t, alone, receipt.ReasonUnknownLog, nil)
}

// reproved puts e's record into b's own log and anchors that.
func reproved(t *testing.T, b *batched, e *receiptpb.LogEntry) receipt.Proof {
	t.Helper()
	record, err := hashedrekord.Parse(e.GetOwn().GetBody())
	if err != nil {
		t.Fatal(err)
	}
	return b.own.Add(record, b.log)
}

// TestAnchorByStatementKey: a key that the gateway trust has for statements anchors nothing, whatever it signs.
func TestAnchorByStatementKey(t *testing.T) {
	b := batch(t, native(t), receiptpb.Receipt_NATIVE)
	statements := newKey(t)
	checkpoint := b.own.Checkpoint()
	made, err := receipt.NewOwnRecord(3, b.own.Prove(3), checkpoint, []*receiptpb.Anchor{receipttest.AnchorIn(t, b.log, checkpoint, statements)})
	if err != nil {
		t.Fatal(err)
	}
	o := b.options()
	if o.GatewayTrust, err = b.trust.WithKey(spki(t, statements), map[string]int64{origin: 0, ownOrigin: 0}); err != nil {
		t.Fatal(err)
	}
	b.refused(t, o, receipt.ReasonUnknownGatewayKey, func(r *receiptpb.Receipt) {
		own := r.GetEntries()[0].GetOwn()
		own.Proof, own.Anchors = made.GetProof(), made.GetAnchors()
	})
}

// TestFlippedOwnBytes changes every byte of what proves a record in an own log: it is refused, or the report stays as it was.
func TestFlippedOwnBytes(t *testing.T) {
	witness, _ := noteKey(t, "witness.example")
	all := everyBatched(t)
	delete(all, "native") // as "projected"
	for name, b := range all {
		t.Run(name, func(t *testing.T) {
			p := b.own.Record(3, b.record().GetBody(), b.own.Checkpoint(witness), b.record().GetAnchors()...)
			b.complete(t, b.receipt, p)
			encoded, err := proto.Marshal(b.record())
			if err != nil {
				t.Fatal(err)
			}
			want, err := receipt.Verify(t.Context(), b.receipt, b.options())
			if err != nil {
				t.Fatal(err)
			}
			o, accepted := b.options(), 0
			memory := receipt.NewMemory()
			o.Memory = memory
			if _, err := receipt.Verify(t.Context(), b.receipt, o); err != nil {
				t.Fatal(err)
			}
			for i := range encoded {
				bad, own := bytes.Clone(encoded), &receiptpb.OwnRecord{}
				bad[i] ^= 1
				if proto.Unmarshal(bad, own) != nil || proto.Equal(own, b.record()) {
					continue
				}
				r := proto.CloneOf(b.receipt)
				r.GetEntries()[0].Own = own
				o.Artifact = bytes.NewReader(artifact)
				report, err := receipt.Verify(t.Context(), r, o)
				if err != nil {
					continue
				}
				o.Artifact, o.Memory = bytes.NewReader(artifact), nil
				if _, err := receipt.Verify(t.Context(), r, o); err != nil {
					t.Errorf("byte %d (%q): accepted with a memory alone: %v", i, encoded[max(0, i-40):i+1], err)
				}
				o.Memory = memory
				if accepted++; report.String() != want.String() {
					t.Errorf("byte %d (%q): the report has changed:\n%s", i, encoded[max(0, i-40):i+1], report)
				}
			}
			if accepted == 0 { // the cosignature's bytes, which nobody checks
				t.Error("nothing was accepted")
			}
		})
	}
}

// TestBatchedTampering changes what is new in a batched receipt.
func TestBatchedTampering(t *testing.T) {
	b := batch(t, projected(t, 1), receiptpb.Receipt_PROJECTED)
	other := batch(t, projected(t, 1), receiptpb.Receipt_PROJECTED)
	direct := projected(t, 1)
	body := b.record().GetBody()
	own := func(r *receiptpb.Receipt) *receiptpb.OwnRecord { return r.GetEntries()[0].GetOwn() }
	// text replaces some in the proof.
	text := func(old, replacement string) func(*receiptpb.Receipt) {
		return func(r *receiptpb.Receipt) { own(r).Proof = strings.Replace(own(r).GetProof(), old, replacement, 1) }
	}
	// prove replaces proof and anchors by those of the tree now.
	prove := func(index uint64, anchor func(checkpoint []byte) *receiptpb.Anchor) func(*receiptpb.Receipt) {
		checkpoint := b.own.Checkpoint()
		made, err := receipt.NewOwnRecord(index, b.own.Prove(index), checkpoint, []*receiptpb.Anchor{anchor(checkpoint)})
		if err != nil {
			t.Fatal(err)
		}
		return func(r *receiptpb.Receipt) { own(r).Proof, own(r).Anchors = made.GetProof(), made.GetAnchors() }
	}
	anchor := func(c []byte) *receiptpb.Anchor { return receipttest.AnchorIn(t, b.log, c, b.own.Anchor) }
	stranger := newKey(t)
	oldAnchor := b.record().GetAnchors()[0]
	again := b.own.Append(body)
	b.own.Append([]byte("grown"))
	grown := prove(3, anchor)
	tests := map[string]tampering{
		"another tree, anchored": {"", grown},
		"logged again":           {"", prove(again, anchor)},
		"another record's index": {receipt.ReasonProofInvalid, prove(0, anchor)},
		"another index":          {receipt.ReasonProofInvalid, text("index 3\n", "index 4\n")},
		"index past the tree":    {receipt.ReasonProofInvalid, text("index 3\n", "index 5\n")},
		"index not canonical":    {receipt.ReasonMalformedReceipt, text("index 3\n", "index 03\n")},
		"another size":           {receipt.ReasonCheckpointInvalid, text("\n5\n", "\n6\n")},
		"another origin": {receipt.ReasonUnknownLog, func(r *receiptpb.Receipt) {
			own(r).Proof = strings.ReplaceAll(own(r).GetProof(), ownOrigin, "x.example")
		}},
		"no proof":            {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { own(r).Proof = "" }},
		"not a proof":         {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { own(r).Proof = "x" }},
		"other hashes":        {receipt.ReasonProofInvalid, swapHashes},
		"no body":             {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { own(r).Body = nil }},
		"body too large":      {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { own(r).Body = make([]byte, hashedrekord.MaxBody+1) }},
		"another record":      {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { own(r).Body = other.record().GetBody() }},
		"body not canonical":  {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { own(r).Body = append(slices.Clone(body), ' ') }},
		"another log's proof": {receipt.ReasonCheckpointInvalid, func(r *receiptpb.Receipt) { own(r).Proof = other.record().GetProof() }},
		"all of another":      {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Entries[0].Own = other.record() }},
		"no own record":       {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { r.Entries[0].Own = nil }},
		"in a log as well": {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) {
			r.Entries[0].Bundle.VerificationMaterial.TlogEntries = direct.receipt.Entries[0].Bundle.VerificationMaterial.TlogEntries
		}},
		"bundle of another type":       {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { r.Entries[0].Bundle.MediaType = "x" }},
		"bundle's signature":           {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Entries[0].Bundle.GetMessageSignature().Signature[9] ^= 1 }},
		"bundle's key hint":            {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Entries[0].Bundle.VerificationMaterial.GetPublicKey().Hint = "x" }},
		"entry's key":                  {receipt.ReasonClaimMismatch, func(r *receiptpb.Receipt) { r.Entries[0].Spki = oldAnchor.GetSpki() }},
		"no anchor":                    {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { own(r).Anchors = nil }},
		"too many anchors":             {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { own(r).Anchors = slices.Repeat(own(r).GetAnchors(), 17) }},
		"anchor twice":                 {receipt.ReasonClaimMismatch, func(r *receiptpb.Receipt) { own(r).Anchors = slices.Repeat(own(r).GetAnchors(), 2) }},
		"anchor without a bundle":      {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { own(r).GetAnchors()[0].Bundle = nil }},
		"anchor of another checkpoint": {receipt.ReasonAnchorMismatch, func(r *receiptpb.Receipt) { grown(r); own(r).Anchors = []*receiptpb.Anchor{oldAnchor} }},
		"anchor by a stranger":         {receipt.ReasonUnknownGatewayKey, prove(3, func(c []byte) *receiptpb.Anchor { return receipttest.AnchorIn(t, b.log, c, stranger) })},
		"by a stranger, and denied": {receipt.ReasonAnchorMismatch, prove(3, func(c []byte) *receiptpb.Anchor {
			a := receipttest.AnchorIn(t, b.log, c, stranger)
			a.Spki = b.own.AnchorSPKI()
			return a
		})},
		"anchor in an untrusted log": {receipt.ReasonUnknownLog, prove(3, func(c []byte) *receiptpb.Anchor {
			return receipttest.AnchorIn(t, receipttest.NewLog(t, "other.example"), c, b.own.Anchor)
		})},
		"anchor in a log of the same name": {receipt.ReasonUnknownLog, prove(3, func(c []byte) *receiptpb.Anchor {
			return receipttest.AnchorIn(t, receipttest.NewLog(t, origin), c, b.own.Anchor)
		})},
		"one of two anchors in an untrusted log": {receipt.ReasonUnknownLog, func(r *receiptpb.Receipt) {
			a := receipttest.AnchorIn(t, receipttest.NewLog(t, "other.example"), b.own.Checkpoint(), b.own.Anchor)
			grown(r)
			own(r).Anchors = append(slices.Clone(own(r).Anchors), a)
		}},
		"anchor's digest": {receipt.ReasonAnchorMismatch, func(r *receiptpb.Receipt) {
			own(r).GetAnchors()[0].Bundle.GetMessageSignature().MessageDigest.Digest[0] ^= 1
		}},
		"anchor's signature": {receipt.ReasonAnchorMismatch, func(r *receiptpb.Receipt) { own(r).GetAnchors()[0].Bundle.GetMessageSignature().Signature[9] ^= 1 }},
		"anchor's index":     {receipt.ReasonProofInvalid, func(r *receiptpb.Receipt) { anchorLog(own(r).GetAnchors()[0]).LogIndex++ }},
		"anchor's proof":     {receipt.ReasonProofInvalid, func(r *receiptpb.Receipt) { anchorLog(own(r).GetAnchors()[0]).InclusionProof.Hashes = nil }},
		"anchor's time":      {receipt.ReasonProofInvalid, func(r *receiptpb.Receipt) { anchorLog(own(r).GetAnchors()[0]).IntegratedTime = 1 }},
		"anchor's kind":      {receipt.ReasonAnchorMismatch, func(r *receiptpb.Receipt) { anchorLog(own(r).GetAnchors()[0]).KindVersion.Version = "0.0.1" }},
		"version 3":          {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { r.FormatVersion = 3 }},
		"version 2":          {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { r.FormatVersion = 2 }},
		"version 1":          {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { r.FormatVersion = 0 }},
		"version 5":          {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { r.FormatVersion = 5 }},
		"recorded directly":  {receipt.ReasonClaimMismatch, func(r *receiptpb.Receipt) { r.Recorded[0].Way = receiptpb.RecordedSignature_DIRECT }},
		"recorded in no way": {receipt.ReasonClaimMismatch, func(r *receiptpb.Receipt) { r.Recorded[0].Way = 0 }},
		"another way":        {receipt.ReasonClaimMismatch, func(r *receiptpb.Receipt) { r.Recorded[0].Way = 7 }},
		"claims a time":      {receipt.ReasonClaimMismatch, func(r *receiptpb.Receipt) { r.Signature.ClaimedTime = timestamppb.New(made) }},
		"other representation": {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) {
			r.Representation, r.Recorded[0].Representation = receiptpb.Receipt_NATIVE, receiptpb.Receipt_NATIVE
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.want != "" {
				b.refused(t, b.options(), test.want, test.change)
				return
			}
			r := proto.CloneOf(b.receipt)
			test.change(r)
			if _, err := receipt.Verify(t.Context(), r, b.options()); err != nil {
				t.Error(err)
			}
		})
	}
	b.judgedAlike(t, other, tests)
	b.refusedDirect(t, direct)
}

// refusedDirect: what is new is refused in receipts that are not batched.
func (b *batched) refusedDirect(t *testing.T, direct *signed) {
	o := direct.options()
	o.GatewayTrust = b.trust
	for name, test := range map[string]struct {
		want   formats.Reason
		change func(*receiptpb.Receipt)
	}{
		"direct, version 4":       {receipt.ReasonClaimMismatch, func(r *receiptpb.Receipt) { r.FormatVersion = 4 }},
		"direct, called batched":  {receipt.ReasonClaimMismatch, func(r *receiptpb.Receipt) { r.Recorded[0].Way = receiptpb.RecordedSignature_BATCHED }},
		"direct, with own record": {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { r.Entries[0].Own = b.record() }},
		"direct, as version 4 one": {receipt.ReasonClaimMismatch, func(r *receiptpb.Receipt) {
			r.FormatVersion, r.Recorded[0].Way = 4, receiptpb.RecordedSignature_BATCHED
		}},
	} {
		t.Run(name, func(t *testing.T) { direct.refused(t, o, test.want, test.change) })
	}
}

// anchorLog is the log's part of an anchor.
func anchorLog(a *receiptpb.Anchor) *rekorpb.TransparencyLogEntry {
	return a.GetBundle().GetVerificationMaterial().GetTlogEntries()[0]
}

// swapHashes exchanges the first two hashes of the proof.
func swapHashes(r *receiptpb.Receipt) {
	own := r.GetEntries()[0].GetOwn()
	lines := strings.SplitAfter(own.GetProof(), "\n")
	lines[2], lines[3] = lines[3], lines[2]
	own.Proof = strings.Join(lines, "")
}
