// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"fmt"
	"slices"
	"strings"

	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"

	"github.com/rekor-gateway/rekor-gateway/formats"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// Report says what a verified receipt proves and what it does not, a line each, in words for
// a person. Every line is derived from what was verified; what is only claimed says so.
type Report struct {
	Proven   []string `json:"proven"`
	Unproven []string `json:"unproven"`
	Entries  []Entry  `json:"entries"`
	// SignerChecked is false when any signer was accepted.
	SignerChecked bool `json:"signerChecked"`

	logged  []logEntry
	receipt *receiptpb.Receipt
	silent  bool // it has no lines
}

func (o Options) newReport() *Report { return &Report{silent: o.Silent} }

// Entry is where a log, or a gateway's own, has the record.
type Entry struct {
	Origin   string `json:"origin"`
	Index    int64  `json:"index"`
	TreeSize uint64 `json:"treeSize"`
	// Anchors are where the checkpoint of that log is recorded; there are none unless it is a gateway's own.
	Anchors []Anchored `json:"anchors"`
}

// Anchored is where another log has the checkpoint of a gateway's own.
type Anchored struct {
	Origin   string `json:"origin"`
	Index    int64  `json:"index"`
	TreeSize uint64 `json:"treeSize"`
}

// logEntry is an entry of the receipt with what it was found to record: a projection, or a
// statement.
type logEntry struct {
	entry         *receiptpb.LogEntry
	projection    *formats.Projection
	whole         bool   // the log made the record of signature, key and artifact
	predicateType string // of the statement
	subject       string // the statement's, "ALG:HEX"
	origin        string
	index         int64
	ownKey        string // of the own log, as the gateway trust has it; "" in a log
}

// String returns the lines, those not proven under a heading of their own.
func (r *Report) String() string {
	var b strings.Builder
	for _, l := range r.Proven {
		fmt.Fprintln(&b, l)
	}
	fmt.Fprintln(&b, "not proven:")
	for _, l := range r.Unproven {
		fmt.Fprintln(&b, "  "+l)
	}
	return b.String()
}

func (r *Report) proven(format string, args ...any) {
	if r.silent {
		return
	}
	r.Proven = append(r.Proven, fmt.Sprintf(format, args...))
}

func (r *Report) unproven(format string, args ...any) {
	if r.silent {
		return
	}
	r.Unproven = append(r.Unproven, fmt.Sprintf(format, args...))
}

// reportLimits adds what no receipt proves, or this one does not.
func (v *verification) reportLimits() {
	v.reportTime()
	v.reportClaims(v.receipt.GetRepresentation() == receiptpb.Receipt_ATTESTED)
	v.reportNotes()
}

// reportKnown is reportLimits without what the receipt says of the file as a whole.
func (v *verification) reportKnown() {
	v.reportTime()
	v.reportNotes()
}

func (v *verification) reportNotes() {
	for _, n := range slices.Concat(v.description.Notes, v.verified.Notes) {
		v.report.unproven("note: %s", n)
	}
	if n := v.timestamps(); n > 0 {
		v.report.unproven("time: %d timestamps in the bundles were not checked", n)
	}
}

// reportClaims adds what the receipt says and nothing binds; stated: a statement of the gateway holds what it can.
func (v *verification) reportClaims(stated bool) {
	if t := v.receipt.GetVerifiedAt(); !stated && t.IsValid() {
		v.report.unproven("receipt says: verified at %s", formatTime(t.AsTime()))
	}
	if c := v.receipt.GetArtifact().GetContainer(); c != nil {
		v.report.unproven("receipt says: the artifact was inside a file with %.20q digest %.128x", c.GetAlgorithm(), c.GetValue())
	}
}

func (v *verification) timestamps() int {
	n := 0
	for _, e := range v.receipt.GetEntries() {
		n += countTokens(e.GetBundle())
		for _, a := range e.GetOwn().GetAnchors() {
			n += countTokens(a.GetBundle())
		}
	}
	return n
}

func countTokens(b *bundlepb.Bundle) int {
	return len(b.GetVerificationMaterial().GetTimestampVerificationData().GetRfc3161Timestamps())
}
