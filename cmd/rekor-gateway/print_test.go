// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// hostile is text that clears the screen, colours, goes back, changes the order of what is read, and
// begins lines of its own.
const hostile = "a\x1b[2J\x1b]0;title\a\r\n\x08\x7f\u009b31m\u202e\u2066\u200f\u2028rekor-gateway: all is well\U000e0041z"

// wantHarmless fails the test when out has more lines than wanted, or anything but text in them.
func wantHarmless(t *testing.T, what, out string, lines int) {
	t.Helper()
	if got := strings.Count(out, "\n"); got != lines {
		t.Errorf("%s: %d lines, want %d: %q", what, got, lines, out)
	}
	for _, r := range out {
		if r != '\n' && output.CleanText(string(r)) != string(r) {
			t.Errorf("%s: %U is printed: %q", what, r, out)
		}
	}
	if !strings.Contains(out, "rekor-gateway: all is well") && !strings.Contains(out, `\u2028rekor`) {
		t.Errorf("%s: the text is gone: %q", what, out)
	}
}

// runAgainst runs the command line against a server that answers with status and body, and returns what
// it prints and what it says of its failure.
func runAgainst(t *testing.T, status int, body []byte, args ...string) (out, failure string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write(body)
	}))
	defer server.Close()
	var printed, failed bytes.Buffer
	args = append(args, "--server", server.URL, "--signature", "testdata/offline/x509.sig", "--key", "testdata/offline/x509.pub")
	runProgram(t.Context(), args, &printed, &failed)
	return printed.String(), failed.String()
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	raw, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Whatever a server says is printed as text, on lines of ours.
func TestHostileServer(t *testing.T) {
	refusal, err := json.Marshal(map[string]string{"reason": hostile, "detail": hostile, "hint": hostile})
	if err != nil {
		t.Fatal(err)
	}
	_, failure := runAgainst(t, 422, refusal, "plan")
	wantHarmless(t, "refusal", failure, 2)

	problem := &pb.Problem{Reason: hostile, Message: hostile, Hint: hostile}
	plan := &pb.Plan{
		Format: hostile, Variant: hostile, Algorithm: hostile, Signers: []string{hostile}, Need: "digest", Digests: []string{hostile},
		Notes: []string{hostile}, Options: []*pb.PlanOption{{Representation: 1, Problem: problem}},
	}
	out, _ := runAgainst(t, 200, marshal(t, plan), "plan")
	wantHarmless(t, "plan", out, 8)
	out, _ = runAgainst(t, 200, marshal(t, plan), "plan", "--output", "json")
	wantHarmless(t, "plan as JSON", out, 1)
	var again pb.Plan
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(out), &again); err != nil || again.GetFormat() != hostile {
		t.Errorf("JSON says %q, %v", again.GetFormat(), err)
	}

	sub := &pb.Submission{
		Id: hostile, State: pb.Submission_FAILED, Format: hostile, Entries: []*pb.Entry{{Log: hostile, Problem: problem}},
	}
	digest := "sha256:" + strings.Repeat("0", 64)
	out, failure = runAgainst(t, 201, marshal(t, sub), "submit", "--digest", digest, "--format", "x509", "--send-bytes")
	wantHarmless(t, "submission", out, 2)
	wantHarmless(t, "failure", failure, 2)
}

// A server that says logged and shows no receipt is not believed.
func TestLoggedWithoutReceipt(t *testing.T) {
	_, failure := runAgainst(t, 201, marshal(t, &pb.Submission{Id: "1", State: pb.Submission_LOGGED}), "submit",
		"--digest", "sha256:"+strings.Repeat("0", 64), "--format", "x509", "--send-bytes")
	if !strings.Contains(failure, "gives no receipt") {
		t.Errorf("%q", failure)
	}
}

// What a report has of names in keys and receipts is text as well.
func TestHostileReport(t *testing.T) {
	var out bytes.Buffer
	output.Report(&out, &receipt.Report{Proven: []string{hostile}, Unproven: []string{hostile}})
	wantHarmless(t, "report", out.String(), 3)
	out.Reset()
	if err := output.JSON(&out, verified{Report: &receipt.Report{Proven: []string{hostile}}}); err != nil {
		t.Fatal(err)
	}
	wantHarmless(t, "report as JSON", out.String(), 1)
	harmless := &receipt.Report{Proven: []string{"a", "b"}, Unproven: []string{"c"}}
	out.Reset()
	if output.Report(&out, harmless); out.String() != harmless.String() {
		t.Errorf("printed %q, want %q", &out, harmless)
	}
}

// What is attested takes the artifact, whatever digest a projection would do with.
func TestNeedsOfAttested(t *testing.T) {
	p := &pb.Plan{Need: "bytes", SignedDigests: []string{"sha512"}, Chosen: receiptpb.Receipt_ATTESTED}
	if got := describeNeeds(p); got != "the artifact" {
		t.Errorf("attested: %s", got)
	}
	p.Chosen = receiptpb.Receipt_PROJECTED
	if got := describeNeeds(p); !strings.Contains(got, "sha512 digest of what is really signed") {
		t.Errorf("projected: %s", got)
	}
}
