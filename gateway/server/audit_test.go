// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// auditLine is what tests read of a record, in a file or over HTTP.
type auditLine struct {
	Event, Caller, Tenant, Address, RequestID, SubmissionID, Reason, Detail string
	Signers, ArtifactDigests                                                []string
	Count                                                                   int
}

func readAudit(t *testing.T, path string) (lines []auditLine) {
	t.Helper()
	for _, raw := range strings.Split(strings.TrimSpace(string(must(os.ReadFile(path)))), "\n") {
		var l auditLine
		if err := json.Unmarshal([]byte(raw), &l); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		lines = append(lines, l)
	}
	return lines
}

// listAudit is the audit trail as the caller of that name is shown it, the oldest first.
func (r *running) listAudit(name string) []auditLine {
	r.t.Helper()
	status, text := r.ask("GET /v1/audit", bearer(name), "")
	var page struct{ Records []auditLine }
	if err := json.Unmarshal([]byte(text), &page); err != nil || status != http.StatusOK {
		r.t.Fatalf("%d %s: %v", status, text, err)
	}
	slices.Reverse(page.Records)
	return page.Records
}

func eventsOf(lines []auditLine) (all []string) {
	for _, l := range lines {
		all = append(all, strings.Join(strings.Fields(l.Event+" "+l.Caller+" "+l.Reason), " "))
	}
	return all
}

// newAuditConfig has an auditor, red, who is one too, and strangers who may submit.
func newAuditConfig(t *testing.T) (*config.Config, string) {
	cfg := withCallers(newConfig(t), map[string][]string{"red": {"submit", "audit"}, "reader": {"read"}})
	cfg.Callers = append(cfg.Callers, config.Caller{Name: "all", Tenant: "red-tenant", Anonymous: true, May: []string{"submit"}})
	cfg.Audit.File = filepath.Join(t.TempDir(), "audit.jsonl")
	return cfg, cfg.Audit.File
}

// TestAuditTrail: what is done is in the file, and in the store what authenticated callers did. Neither has what must stay with them.
func TestAuditTrail(t *testing.T) {
	t.Parallel()
	cfg, path := newAuditConfig(t)
	r, signed := run(t, cfg), headers{}
	r.postSigned("red", "one", signed, nil)
	r.postSigned("red", "one", signed, nil)
	bad := r.postSigned("red", "one", signed, map[string]any{"artifact": []byte("another")})
	r.postSigned("nobody", "two", signed, nil)
	r.postSigned("reader", "two", signed, nil)
	must(http.Post(r.Addresses().HTTP+"/v1/submissions?wait=0", "application/json", strings.NewReader("{}"))).Body.Close()
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := r.ReopenAudit(); err != nil {
		t.Fatal(err)
	}
	if err := r.ReloadCallers(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	await(t, "the refusal in the store", func() bool { return len(r.listAudit("red")) == 3 })
	stored := r.listAudit("red")
	r.stop()

	lines := append(readAudit(t, path+".1"), readAudit(t, path)...)
	want := []string{"STARTED", "ACCEPTED red", "REPEATED red", "REFUSED red SIGNATURE_INVALID", "ACCESS_DENIED UNAUTHENTICATED", "ACCESS_DENIED reader FORBIDDEN",
		"REFUSED all MISSING_SIGNATURE", "CONFIG_RELOADED"}
	if got := eventsOf(lines); !slices.Equal(got, want) {
		t.Fatalf("the file has\n%q, want\n%q", got, want)
	}
	if got := eventsOf(stored); !slices.Equal(got, want[1:4]) {
		t.Errorf("the store has %q", got)
	}
	accepted := lines[1]
	if accepted.Tenant != "red-tenant" || !strings.HasPrefix(accepted.Address, "127.0.0.1:") || accepted.RequestID == "" || accepted.SubmissionID == "" ||
		len(accepted.Signers) != 1 || len(accepted.ArtifactDigests) != 1 {
		t.Errorf("accepted: %+v", accepted)
	}
	if s := stored[0]; s.SubmissionID != accepted.SubmissionID || s.RequestID != accepted.RequestID || s.Address != accepted.Address || !slices.Equal(s.Signers, accepted.Signers) ||
		!slices.Equal(s.ArtifactDigests, accepted.ArtifactDigests) || lines[2].SubmissionID != s.SubmissionID {
		t.Errorf("stored: %+v", s)
	}
	if bad.header.Get("X-Request-Id") != lines[3].RequestID {
		t.Errorf("refused: %+v", lines[3])
	}
	text := string(must(os.ReadFile(path + ".1")))
	h := signed.of("one")
	for _, secret := range []string{"-token\"", "red-token", base64.StdEncoding.EncodeToString(h.GetSignature())[8:24], hex.EncodeToString(h.GetSignature())[8:40], string(h.GetKeys()[0])[40:60]} {
		if strings.Contains(text, secret) {
			t.Errorf("the file has %q:\n%s", secret, text)
		}
	}
}

// TestDeniedIsSampled: who is turned away again and again is counted, and recorded now and then.
func TestDeniedIsSampled(t *testing.T) {
	cfg, path := newAuditConfig(t)
	r := run(t, cfg)
	for range 200 {
		r.ask("GET /v1/submissions", bearer("nobody"), "")
	}
	r.awaitMetric(`audit_records_total{event="ACCESS_DENIED"}`, "200")
	r.stop()
	counted, lines := 0, readAudit(t, path)
	for _, l := range lines {
		counted += l.Count
	}
	if len(lines) > 120 || counted < 20 || counted > 200 {
		t.Errorf("%d lines, which count %d", len(lines), counted)
	}
}

// TestNoRoomIsSampled: refusals for want of room take little of what is left, and nothing of the store.
func TestNoRoomIsSampled(t *testing.T) {
	cfg, path := newAuditConfig(t)
	cfg.Limits.MinFreeDisk = 1 << 60
	r, signed := run(t, cfg), headers{}
	for range 200 {
		if a := r.postSigned("red", "one", signed, nil); a.body["reason"] != "DISK_LOW" {
			t.Fatalf("%d %v", a.status, a.body)
		}
	}
	r.awaitMetric(`audit_records_total{event="REFUSED"}`, "200")
	if stored := r.listAudit("red"); len(stored) != 0 {
		t.Errorf("the store has %d", len(stored))
	}
	r.stop()
	if lines := readAudit(t, path); len(lines) > 120 || len(lines) < 20 {
		t.Errorf("%d lines", len(lines))
	}
}

// TestAuditFails: while the file cannot be written, what the operator has chosen holds, and readiness and a metric say so.
func TestAuditFails(t *testing.T) {
	t.Parallel()
	for choice, want := range map[string]struct {
		status int
		ready  string
	}{config.OnFailureRefuse: {http.StatusServiceUnavailable, "not ready"}, config.OnFailureContinue: {http.StatusCreated, "degraded"}} {
		cfg, _ := newAuditConfig(t)
		cfg.Audit.File, cfg.Audit.OnFailure = "/dev/full", choice
		if _, err := os.Stat(cfg.Audit.File); err != nil {
			t.Skip("there is no /dev/full")
		}
		r, signed := run(t, cfg), headers{}
		first := r.postSigned("red", "one", signed, nil)
		if first.status > 202 && first.status != want.status || want.status == http.StatusServiceUnavailable && first.body["reason"] != "AUDIT_UNAVAILABLE" {
			t.Errorf("%s: %d %v", choice, first.status, first.body)
		}
		if _, state, body := r.readyz(); state != want.ready || !strings.Contains(body, "AUDIT_UNAVAILABLE") {
			t.Errorf("%s: %s %s", choice, state, body)
		}
		r.awaitMetric("audit_failing", "1")
		_ = r.stop()
	}
}
