// SPDX-License-Identifier: Apache-2.0

package run

import (
	"strings"
	"testing"

	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// TestReportSaysWhatTheReceiptSays: what is LOGGED is as its verified receipt has it, not as the gateway's answer beside that. What has no
// receipt yet is as nobody has proven it.
func TestReportSaysWhatTheReceiptSays(t *testing.T) {
	r := &receiptpb.Receipt{
		Representation: receiptpb.Receipt_PROJECTED, SubmissionId: "a", Signers: []*receiptpb.Signer{{Spki: []byte("k")}},
		Recorded: []*receiptpb.RecordedSignature{{Way: receiptpb.RecordedSignature_BATCHED}},
	}
	var lied outcome
	lied.note(&pb.Submission{
		Id: "b", Signers: []string{"sha256:eeee"}, Representation: receiptpb.Receipt_NATIVE, Receipt: r,
		Signatures: []*pb.SubmittedSignature{{Way: receiptpb.RecordedSignature_DIRECT}},
	})
	if pending := lied.wait(); pending.Representation+pending.Way != "" || len(pending.Signers) > 0 || pending.SubmissionID != "b" {
		t.Errorf("before there is a receipt: %+v", pending)
	}
	got, want := lied.logged("r", r), outcome{}.done("r", r)
	if got.Representation != want.Representation || got.Way != want.Way || got.SubmissionID != want.SubmissionID || len(got.Signers) != 1 || got.Signers[0] != want.Signers[0] {
		t.Errorf("the report says %s %s %v, the receipt %s %s %v", got.Representation, got.Way, got.Signers, want.Representation, want.Way, want.Signers)
	}
}

// TestPendingSaysWhy: what waits for a log that the gateway knows not to get on says so, and the run does.
func TestPendingSaysWhy(t *testing.T) {
	var o outcome
	o.note(&pb.Submission{Id: "a", Delays: []*pb.Delay{{Log: "own", Problem: &pb.Problem{Message: "its operator has to see to it"}}}})
	b := &runner{status: (&Options{}).newStatus(nil, nil, nil, nil)}
	pending := o.wait()
	if b.tell(pending); !strings.Contains(pending.Message, "log own: its operator") {
		t.Errorf("the report says %q", pending.Message)
	}
	if err := b.judgeCounts(); err == nil || !strings.Contains(err.Error(), "log own: its operator") {
		t.Errorf("the run says %v", err)
	}
	if o.noteDelay(&pb.Submission{}); o.delay != "" {
		t.Errorf("it gets on, and says %q", o.delay)
	}
}
