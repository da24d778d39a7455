// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// readMixed returns a receipt for two signatures, the first PROJECTED and the second ATTESTED, and how to verify it for the
// signer of the first alone.
func readMixed(t *testing.T) (*receiptpb.Receipt, func(trust string) receipt.Options) {
	t.Helper()
	folder := filepath.Join(corpusDir, "pgp-mixed")
	list := readVerdicts(t, folder)
	r, err := receipt.Unmarshal(readFile(t, filepath.Join(folder, "receipt.json")))
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(list.Verifications, func(v *verification) bool { return v.Name == "right key as in rsa3072.key" })
	if at < 0 {
		t.Fatal("the corpus does not ask")
	}
	return r, func(trust string) receipt.Options {
		v := *list.Verifications[at]
		v.GatewayTrust = trust
		return v.options(t, folder, list.Trust)
	}
}

// TestUnaskedStatement: to trust a gateway never refuses a receipt that rests on nothing of what the gateway says. A statement
// on another signature of the file says by when the file existed if all of it is in order, and nothing else.
func TestUnaskedStatement(t *testing.T) {
	statement := func(r *receiptpb.Receipt) *receiptpb.LogEntry { return r.GetEntries()[1] }
	tests := map[string]struct {
		trust  string
		change func(*receiptpb.Receipt)
		timed  bool
	}{
		"in order":            {"gateway_trust.json", func(*receiptpb.Receipt) {}, true},
		"no gateway":          {"", func(*receiptpb.Receipt) {}, false},
		"by a retired key":    {"gateway_trust_retired.json", func(*receiptpb.Receipt) {}, false},
		"by another gateway":  {"gateway_trust_other.json", func(*receiptpb.Receipt) {}, false},
		"not what it says":    {"gateway_trust.json", func(r *receiptpb.Receipt) { r.VerifiedAt = timestamppb.New(time.Unix(1, 0)) }, false},
		"in no tree":          {"gateway_trust.json", func(r *receiptpb.Receipt) { firstLogged(statement(r)).InclusionProof.Hashes = nil }, false},
		"in an unknown log":   {"gateway_trust.json", func(r *receiptpb.Receipt) { renameLog(statement(r)) }, false},
		"signed by nobody":    {"gateway_trust.json", func(r *receiptpb.Receipt) { statement(r).Bundle.GetDsseEnvelope().Signatures[0].Sig = nil }, false},
		"with a recipe":       {"gateway_trust.json", func(r *receiptpb.Receipt) { statement(r).Recipe = &receiptpb.Recipe{} }, false},
		"another's statement": {"gateway_trust.json", func(r *receiptpb.Receipt) { statement(r).Bundle = proto.CloneOf(r.GetEntries()[0].GetBundle()) }, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, options := readMixed(t)
			test.change(r)
			report, err := receipt.Verify(t.Context(), r, options(test.trust))
			if err != nil {
				t.Fatal(err)
			}
			timed := slices.ContainsFunc(report.Proven, func(l string) bool { return strings.Contains(l, "time: existed by") })
			said := slices.ContainsFunc(report.Unproven, func(l string) bool { return strings.HasPrefix(l, "receipt says: verified at") })
			if timed != test.timed || said == test.timed {
				t.Errorf("a time is proven: %v, and merely said: %v; the statement counts: %v", timed, said, test.timed)
			}
			for _, e := range report.Entries {
				if len(report.Entries) != 1 {
					t.Errorf("index %d is reported beside that of the signature asked for", e.Index)
				}
			}
		})
	}
}

func firstLogged(e *receiptpb.LogEntry) *rekorpb.TransparencyLogEntry {
	return e.GetBundle().GetVerificationMaterial().GetTlogEntries()[0]
}

func renameLog(e *receiptpb.LogEntry) {
	c := firstLogged(e).GetInclusionProof().GetCheckpoint()
	c.Envelope = "another" + c.GetEnvelope()
}

// TestRecordedTwice: a signature by one of the reader's keys is not one of those whose key is not at hand, so a receipt that
// records it again says to record more than the file holds.
func TestRecordedTwice(t *testing.T) {
	r, options := readMixed(t)
	again, entry := proto.CloneOf(r.GetRecorded()[0]), proto.CloneOf(r.GetEntries()[0])
	r.Recorded[1], r.Signers = again, r.GetSigners()[:1] // in place of the one whose key is not at hand
	entry.Signature = 1
	r.Entries[1] = entry
	r.Representation = receiptpb.Receipt_PROJECTED
	_, err := receipt.Verify(t.Context(), r, options(""))
	if formats.ReasonOf(err) != receipt.ReasonClaimMismatch {
		t.Errorf("got %v, want %s", err, receipt.ReasonClaimMismatch)
	}
}
