// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

func TestAudit(t *testing.T) {
	s := serve(t)
	if empty := s.do(http.MethodGet, "/v1/audit", "", nil); empty.status != http.StatusOK || len(empty.body["records"].([]any)) != 0 {
		t.Errorf("before anything was sent: %d %s", empty.status, empty.raw)
	}
	for range 3 {
		sig, key, artifact, format := parts(t, "hello")
		s.expect(s.post("/v1/submissions", sig, key, format, artifact), http.StatusCreated, "")
	}
	page := s.do(http.MethodGet, "/v1/audit?page_size=2", "", nil)
	records := page.body["records"].([]any)
	first, _ := records[0].(map[string]any)
	if len(records) != 2 || first["event"] != "ACCEPTED" || first["submissionId"] == "" || len(first["signers"].([]any)) != 1 || len(first["artifactDigests"].([]any)) != 1 {
		t.Errorf("the first page: %s", page.raw)
	}
	last := s.do(http.MethodGet, "/v1/audit?page_token="+page.text("nextPageToken"), "", nil)
	if records := last.body["records"].([]any); len(records) != 1 || last.text("nextPageToken") != "" {
		t.Errorf("the last page: %s", last.raw)
	}
	for _, query := range []string{"page_size=-1", "page_size=1001", "page_size=x", "page_token=x", "state=LOGGED"} {
		s.expect(s.do(http.MethodGet, "/v1/audit?"+query, "", nil), http.StatusBadRequest, "MALFORMED_REQUEST")
	}
}

func TestAuditOverGRPC(t *testing.T) {
	c := dial(t, gatewaytest.NewLog())
	page, err := c.ListAudit(t.Context(), &pb.ListAuditRequest{})
	if err != nil || len(page.GetRecords()) != 0 {
		t.Errorf("%v, %v", page, err)
	}
	if _, err := c.ListAudit(t.Context(), &pb.ListAuditRequest{PageSize: 1001}); err == nil {
		t.Error("a page of 1001 is not refused")
	}
}
