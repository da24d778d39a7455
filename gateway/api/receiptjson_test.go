// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// TestReceiptJSON: every gRPC answer about a logged submission has the receipt that HTTP answers, byte for byte; one that is not
// logged, a list, and HTTP's own answers have none.
func TestReceiptJSON(t *testing.T) {
	log := gatewaytest.NewLog()
	service := start(t, log)
	c := dialWith(t, service, gateway.NewMemory(64<<20), GRPCConfig{})
	h := &server{Server: httptest.NewServer(NewHTTP(service, HTTPConfig{
		Upload: upload.Config{MaxArtifact: testMaxArtifact}, Ready: func(context.Context) error { return nil }, Logger: slog.New(slog.DiscardHandler),
	})), t: t, log: log}
	defer h.Close()

	header := headerMessage(gatewaytest.Signed(t, "hello"))
	submitted, err := send(t, c, startMessage(header), chunk([]byte("hello")))
	if err != nil {
		t.Fatal(err)
	}
	id := submitted.GetSubmission().GetId()
	want := h.do(http.MethodGet, "/v1/submissions/"+id+"/receipt", "", nil).raw
	got, err := c.GetSubmission(t.Context(), &pb.GetSubmissionRequest{Id: id})
	if err != nil {
		t.Fatal(err)
	}
	watch, err := c.WatchSubmission(t.Context(), &pb.WatchSubmissionRequest{Id: id})
	if err != nil {
		t.Fatal(err)
	}
	watched, err := watch.Recv()
	if err != nil {
		t.Fatal(err)
	}
	batch, _ := sendBatch(t, c, &pb.SubmitBatchRequest{Ref: "again", Header: header, Artifact: []byte("hello")})
	for name, sub := range map[string]*pb.Submission{
		"Submit": submitted.GetSubmission(), "Get": got.GetSubmission(), "Watch": watched.GetSubmission(), "SubmitBatch": batch["again"].GetSubmission(),
	} {
		if sub.GetReceiptJson() != string(want) || sub.GetReceipt() == nil {
			t.Errorf("%s: %.80q, want %.80q", name, sub.GetReceiptJson(), want)
		}
	}
	plain := startMessage(header)
	plain.GetStart().OmitReceiptJson = true
	submitted, err = send(t, c, plain, chunk([]byte("hello")))
	if err != nil || submitted.GetSubmission().ReceiptJson != nil || submitted.GetSubmission().GetReceipt() == nil {
		t.Errorf("omitted: %v, %v", submitted, err)
	}
	got, err = c.GetSubmission(t.Context(), &pb.GetSubmissionRequest{Id: id, OmitReceiptJson: true})
	if err != nil || got.GetSubmission().ReceiptJson != nil || got.GetSubmission().GetReceipt() == nil {
		t.Errorf("omitted: %v, %v", got, err)
	}
	list, err := c.ListSubmissions(t.Context(), &pb.ListSubmissionsRequest{})
	if err != nil || len(list.GetSubmissions()) != 1 || list.GetSubmissions()[0].ReceiptJson != nil {
		t.Errorf("list: %v, %v", list, err)
	}
	if raw := h.do(http.MethodGet, "/v1/submissions/"+id, "", nil).raw; bytes.Contains(raw, []byte("receiptJson")) {
		t.Errorf("HTTP: %s", raw)
	}
}
