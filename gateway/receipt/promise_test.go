// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt/receipttest"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// inRekorV1 has a submission recorded in a Rekor v1 log, at a time.
func inRekorV1(tb testing.TB, s *signed, l *receipttest.V1Log, at time.Time, representation receiptpb.Receipt_Representation) *receiptpb.Receipt {
	tb.Helper()
	return inRekorV1At(tb, s, l, representation, func(int) time.Time { return at })
}

// inRekorV1At is inRekorV1, with each projection at a time of its own.
func inRekorV1At(tb testing.TB, s *signed, l *receipttest.V1Log, representation receiptpb.Receipt_Representation, at func(i int) time.Time) *receiptpb.Receipt {
	tb.Helper()
	facts, verified := s.facts(tb, representation)
	r := receipt.New(facts)
	var entries []*rekorpb.TransparencyLogEntry
	for i, p := range verified.Projections {
		e, record, err := receipt.ProjectFor(hashedrekord.RekorV1, p, false)
		if err != nil {
			tb.Fatal(err)
		}
		r.Entries, entries = append(r.Entries, e), append(entries, l.Add(at(i), record)...)
	}
	var proofs []receipt.Proof
	for _, logged := range entries {
		raw, err := receipt.EncodeProof(logged)
		if err != nil {
			tb.Fatal(err)
		}
		proofs = append(proofs, receipt.Proof{Kind: receipt.KindTransparencyLogEntry, Bytes: raw, Body: logged.GetCanonicalizedBody()})
	}
	r, err := receipt.Complete(r, proofs)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// TestRekorV1 verifies receipts of Rekor v1: NATIVE and PROJECTED, one entry and several, with the time that the log has promised.
func TestRekorV1(t *testing.T) {
	at := made.Add(3 * time.Second)
	for name, c := range map[string]struct {
		s              *signed
		representation receiptpb.Receipt_Representation
	}{
		"native": {native(t), receiptpb.Receipt_NATIVE}, "projected": {projected(t, 1), receiptpb.Receipt_PROJECTED}, "two": {projected(t, 2), receiptpb.Receipt_PROJECTED},
	} {
		t.Run(name, func(t *testing.T) {
			l := receipttest.NewV1Log(t)
			r := inRekorV1(t, c.s, l, at, c.representation)
			o := c.s.options()
			o.TrustedRoot = l.Root()
			report, err := receipt.Verify(t.Context(), r, o)
			if err != nil {
				t.Fatal(err)
			}
			for i, e := range report.Entries {
				if e.Origin != l.Origin() || e.Index != int64(3+2*i) {
					t.Errorf("entry %d is %+v", i, e)
				}
			}
			if want := "time: existed by " + at.UTC().Format(time.RFC3339) + ", by the promise of log " + l.Origin(); !proves(report, want) {
				t.Errorf("the report does not say %q: %+v", want, report)
			}
		})
	}
}

// TestRekorV1Several: a file of several signatures existed once the last of those that are recorded did, and not with the first.
func TestRekorV1Several(t *testing.T) {
	data := func(name string) []byte { return readFile(t, filepath.Join("../../formats/tuf/testdata", name)) }
	expires := time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC) // both of the metadata and of the root
	const before, after = -time.Hour, 365 * 24 * time.Hour
	for name, c := range map[string]struct {
		first, second time.Duration // when it was promised, after the metadata's expiry
		noPromise     bool          // of the second
		want          bool
	}{
		"both before":          {before, before + time.Minute, false, true},
		"the second after":     {before, after, false, false},
		"the first after":      {after, before, false, false},
		"the second by nobody": {before, after, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := &signed{format: "tuf", signature: data("targets.json"), keys: [][]byte{data("root-1.json")}}
			s.policy.Now = timeFor("tuf")
			l := receipttest.NewV1Log(t)
			l.End = expires.Add(2 * after)
			times := []time.Duration{c.first, c.second}
			r := inRekorV1At(t, s, l, receiptpb.Receipt_PROJECTED, func(i int) time.Time { return expires.Add(times[i]) })
			if c.noPromise {
				l.End = expires
			}
			o := receipt.Options{Registry: registry, TrustedRoot: l.Root(), ExpectedKeys: s.keys, Now: expires.Add(2 * after)}
			report, err := receipt.Verify(t.Context(), r, o)
			if !c.want {
				if formats.ReasonOf(err) != receipt.ReasonSignatureInvalid || !strings.Contains(err.Error(), "expired") {
					t.Errorf("accepted, or refused for another reason: %v", err)
				}
				o.At = expires.Add(before)
				if report, err = receipt.Verify(t.Context(), r, o); err != nil {
					t.Fatal(err)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			first := "existed by " + expires.Add(min(c.first, c.second)).Format(time.RFC3339)
			if proves(report, first) {
				t.Errorf("the report says %q: %+v", first, report.Proven)
			}
			if last := "existed by " + expires.Add(max(c.first, c.second)).Format(time.RFC3339); proves(report, last) == c.noPromise {
				t.Errorf("whether the report says %q: %+v", last, report.Proven)
			}
		})
	}
}

func proves(r *receipt.Report, want string) bool {
	return slices.ContainsFunc(r.Proven, func(line string) bool { return strings.Contains(line, want) })
}

// TestRekorV1Times: a time at which the log's key was not in use, or that lies ahead, says nothing, and refuses nothing.
func TestRekorV1Times(t *testing.T) {
	s := native(t)
	for name, c := range map[string]struct {
		at         time.Time
		start, end time.Time
		want       bool
	}{
		"in use":               {made, time.Unix(0, 0), time.Time{}, true},
		"before the key":       {made, made.Add(time.Second), time.Time{}, false},
		"at its end":           {made, time.Unix(0, 0), made, true},
		"after its end":        {made, time.Unix(0, 0), made.Add(-time.Second), false},
		"after the reader's":   {made.Add(2 * time.Hour), time.Unix(0, 0), time.Time{}, false},
		"at the key's start":   {made, made, time.Time{}, true},
		"within, long retired": {made, time.Unix(0, 0), made.Add(time.Minute), true},
	} {
		l := receipttest.NewV1Log(t)
		l.Start, l.End = c.start, c.end
		o := s.options()
		o.TrustedRoot = l.Root()
		report, err := receipt.Verify(t.Context(), inRekorV1(t, s, l, c.at, receiptpb.Receipt_NATIVE), o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := proves(report, "time: existed by"); got != c.want {
			t.Errorf("%s: a time is proven: %t", name, got)
		}
	}
}

// TestRekorV1Refused: nothing in an entry of Rekor v1 can be changed, and no other log's key counts for it.
func TestRekorV1Refused(t *testing.T) {
	s, l, other := native(t), receipttest.NewV1Log(t), receipttest.NewV1Log(t)
	s.receipt = inRekorV1(t, s, l, made, receiptpb.Receipt_NATIVE)
	o := s.options()
	o.TrustedRoot = l.Root()
	of := func(r *receiptpb.Receipt) *rekorpb.TransparencyLogEntry {
		return r.GetEntries()[0].GetBundle().GetVerificationMaterial().GetTlogEntries()[0]
	}
	for name, c := range map[string]struct {
		want   formats.Reason
		change func(*rekorpb.TransparencyLogEntry)
	}{
		"time":              {receipt.ReasonProofInvalid, func(e *rekorpb.TransparencyLogEntry) { e.IntegratedTime-- }},
		"no time":           {receipt.ReasonProofInvalid, func(e *rekorpb.TransparencyLogEntry) { e.IntegratedTime = 0 }},
		"global index":      {receipt.ReasonProofInvalid, func(e *rekorpb.TransparencyLogEntry) { e.LogIndex++ }},
		"index of the tree": {receipt.ReasonProofInvalid, func(e *rekorpb.TransparencyLogEntry) { e.InclusionProof.LogIndex++ }},
		"index too small":   {receipt.ReasonProofInvalid, func(e *rekorpb.TransparencyLogEntry) { e.LogIndex = e.InclusionProof.LogIndex - 1 }},
		"no promise":        {receipt.ReasonProofInvalid, func(e *rekorpb.TransparencyLogEntry) { e.InclusionPromise = nil }},
		"promise":           {receipt.ReasonProofInvalid, func(e *rekorpb.TransparencyLogEntry) { e.InclusionPromise.SignedEntryTimestamp[9] ^= 1 }},
		"log id":            {receipt.ReasonProofInvalid, func(e *rekorpb.TransparencyLogEntry) { e.LogId.KeyId = bytes.Repeat([]byte{1}, 32) }},
		"kind":              {receipt.ReasonEntryMismatch, func(e *rekorpb.TransparencyLogEntry) { e.KindVersion.Version = "0.0.2" }},
		"body":              {receipt.ReasonEntryMismatch, func(e *rekorpb.TransparencyLogEntry) { e.CanonicalizedBody[200] ^= 1 }},
		"another tree": {receipt.ReasonCheckpointInvalid, func(e *rekorpb.TransparencyLogEntry) {
			cp := e.InclusionProof.Checkpoint
			cp.Envelope = strings.Replace(cp.Envelope, "v1.example - 1", "v1.example - 2", 1)
		}},
		"no tree": {receipt.ReasonCheckpointInvalid, func(e *rekorpb.TransparencyLogEntry) {
			cp := e.InclusionProof.Checkpoint
			cp.Envelope = strings.Replace(cp.Envelope, "v1.example - 1193050959916656506", "v1.example", 1)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s.refused(t, o, c.want, func(r *receiptpb.Receipt) { c.change(of(r)) })
		})
	}
	o.TrustedRoot = other.Root()
	s.refused(t, o, receipt.ReasonUnknownLog, nil)
}

// TestRekorV1Promise: what a promise is for Rekor v1 is nothing that a log of Rekor v2 may have.
func TestRekorV1Promise(t *testing.T) {
	s := native(t)
	s.refused(t, s.options(), receipt.ReasonProofInvalid, func(r *receiptpb.Receipt) {
		e := r.GetEntries()[0].GetBundle().GetVerificationMaterial().GetTlogEntries()[0]
		e.IntegratedTime, e.InclusionPromise = made.Unix(), &rekorpb.InclusionPromise{SignedEntryTimestamp: []byte{1}}
	})
}
