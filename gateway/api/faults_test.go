// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
)

// fullStore takes nothing more.
type fullStore struct{ gateway.Store }

func (fullStore) Enqueue(context.Context, []gateway.NewSubmission) ([]gateway.Enqueued, error) {
	return nil, errors.New("the disk is full")
}

// What cannot be stored now is worth another try, and the operator is told why.
func TestFullDisk(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	service := startWith(t, gatewaytest.NewLog(), func(c *gatewaytest.Config) { c.Store = fullStore{c.Store} })
	handler := NewHTTP(service, HTTPConfig{Upload: upload.Config{MaxArtifact: testMaxArtifact, MaxSpool: testMaxArtifact}, Logger: logger})
	s := &server{Server: httptest.NewServer(handler), t: t}
	defer s.Close()

	sig, key, artifact, format := parts(t, "hello")
	a := s.post("/v1/submissions", sig, key, format, artifact)
	s.expect(a, http.StatusServiceUnavailable, "NOT_STORED")
	if a.header.Get("Retry-After") == "" || strings.Contains(string(a.raw), "disk") {
		t.Errorf("Retry-After %q, answer %s", a.header.Get("Retry-After"), a.raw)
	}
	listener, server := bufconn.Listen(1<<20), grpc.NewServer()
	RegisterGRPC(server, service, GRPCConfig{MaxArtifact: testMaxArtifact, Logger: logger})
	c := serveGRPC(t, server, listener)
	if _, err := send(t, c, startMessage(headerMessage(gatewaytest.Signed(t, "hello"))), chunk([]byte("hello"))); status.Code(err) != codes.Unavailable {
		t.Errorf("gRPC: %v", err)
	}
	if n := strings.Count(log.String(), "the disk is full"); n != 2 {
		t.Errorf("%d lines in the log, want 2:\n%s", n, &log)
	}
}

func TestSpoolDirectoryIsGone(t *testing.T) {
	s := serveWith(t, func(c *HTTPConfig) { c.Upload.SpoolDir = filepath.Join(c.Upload.SpoolDir, "gone") })
	sig, key, artifact, format := parts(t, "hello")
	s.expect(s.post("/v1/submissions", artifact, sig, key, format), http.StatusServiceUnavailable, "NOT_STORED")
}

// A key file of the operator's that cannot be used is no fault of the caller's, and the operator is told.
func TestFaultyPolicyKeys(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	service := startWith(t, gatewaytest.NewLog(), func(c *gatewaytest.Config) {
		c.Policy.Keys = map[string][][]byte{"x509": {[]byte("broken")}}
	})
	s := &server{Server: httptest.NewServer(NewHTTP(service, HTTPConfig{Upload: upload.Config{MaxArtifact: testMaxArtifact}, Logger: logger})), t: t}
	defer s.Close()
	sig, key, artifact, format := parts(t, "hello")
	s.expect(s.post("/v1/submissions", sig, key, format, artifact), http.StatusInternalServerError, "INTERNAL")
	s.expect(s.post("/v1/submissions:plan", sig, key, format), http.StatusInternalServerError, "INTERNAL")
	listener, server := bufconn.Listen(1<<20), grpc.NewServer()
	RegisterGRPC(server, service, GRPCConfig{MaxArtifact: testMaxArtifact, Logger: logger})
	c := serveGRPC(t, server, listener)
	if _, err := send(t, c, startMessage(headerMessage(gatewaytest.Signed(t, "hello"))), chunk([]byte("hello"))); status.Code(err) != codes.Internal {
		t.Errorf("gRPC: %v", err)
	}
	if n := strings.Count(log.String(), `level=ERROR msg="request failed"`); n != 3 || !strings.Contains(log.String(), "policy's keys for x509") {
		t.Errorf("%d lines in the log, want 3:\n%s", n, &log)
	}
}
