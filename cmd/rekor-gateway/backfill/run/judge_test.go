// SPDX-License-Identifier: Apache-2.0

package run

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/formats"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// TestHintHistorical: an expired key may have been extended, which no --historical is needed for.
func TestHintHistorical(t *testing.T) {
	for missing, old := range map[formats.Exceptions]bool{formats.ExceptionSHA1: false, formats.ExceptionExpiredKey: true, formats.ExceptionExpiredKey | formats.ExceptionDSA: true} {
		hint := hintHistorical(missing)
		if strings.Contains(hint, "get it again") != old || !strings.HasSuffix(hint, "--historical "+missing.String()) {
			t.Errorf("%v: %s", missing, hint)
		}
	}
}

// TestFetchedIsHeld: what is fetched counts as large as it is as long as its candidate is there, however many of them are under way.
func TestFetchedIsHeld(t *testing.T) {
	signature := append(must(os.ReadFile(offline("x509.sig"))), make([]byte, 4<<10)...)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(signature) }))
	defer server.Close()
	f := &Options{Manifest: "list.csv", Which: "all", Header: func(signature []byte, keys [][]byte) (*pb.SubmissionHeader, error) {
		return &pb.SubmissionHeader{Signature: signature, Keys: keys}, nil
	}}
	j := newJudge(f, must(loadKeys(t.Context(), nil)))
	size := heldPerByte * int64(len(signature))
	for _, item := range []backfill.Item{{Signature: server.URL + "/app.sig"}, {Signature: offline("x509.sig"), Keys: []string{server.URL + "/key"}}} {
		c := &candidate{item: item}
		_ = j.fillCandidate(t.Context(), c) // whether it is a signature is nothing here
		if j.fetched.TryAcquire(maxHeld - size + 1) {
			t.Fatal("it does not count")
		}
		c.close()
		if !j.fetched.TryAcquire(maxHeld) {
			t.Fatal("it counts on once it is closed")
		}
		j.fetched.Release(maxHeld)
	}
}

// TestFormatIsSent: the gateway is told what a file was found to be here, and need not find that out again.
func TestFormatIsSent(t *testing.T) {
	f := &Options{Which: "all", Header: func(signature []byte, keys [][]byte) (*pb.SubmissionHeader, error) {
		return &pb.SubmissionHeader{Signature: signature, Keys: keys}, nil
	}}
	j := newJudge(f, must(loadKeys(t.Context(), []string{offline("x509.pub")})))
	c, err := j.readCandidate(t.Context(), backfill.Item{Signature: offline("x509.sig")})
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if got := c.submission.Header.GetFormat(); got != "x509" {
		t.Errorf("the header says %q", got)
	}
}
