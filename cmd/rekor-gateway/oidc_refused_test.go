// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/auth/issuer/issuertest"
)

// Whose token is refused is told what it claims, and no one else.
func TestRefusedTokenIsDescribed(t *testing.T) {
	token := issuertest.Start(t).Token("us", map[string]any{"sub": "repo:a/b", "exp": time.Now().Add(time.Hour).Unix()})
	e := explaining{token: func(context.Context) (string, error) { return token, nil }}
	refused := describeFailure(e.Explain(t.Context(), &client.Error{Reason: string(problem.ReasonUnauthenticated), Message: "no"}))
	if refused.Reason != problem.ReasonUnauthenticated || !strings.Contains(refused.Hint, `sub: "repo:a/b"`) || strings.Contains(refused.Hint, token[:20]) {
		t.Errorf("%+v", refused)
	}
	other := &client.Error{Reason: string(problem.ReasonForbidden), Hint: "its own"}
	if got := describeFailure(e.Explain(t.Context(), other)); got.Hint != "its own" {
		t.Errorf("%+v", got)
	}
	if err := e.Explain(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// What a connection breaks at is in words alone, over gRPC; each leads to a step of its own.
func TestConnectionHints(t *testing.T) {
	for words, want := range map[string]string{
		"connection refused":                                             "that the gateway runs",
		"remote error: tls: expired certificate":                         "client's certificate",
		"x509: certificate signed by unknown authority":                  "--ca-file",
		"http: server gave HTTP response to HTTPS client":                "http://",
		`desc = "error reading server preface: EOF"`:                     "grpcs://",
		"note that the frame header looked like an HTTP/1.1 header":      "mixed up",
		"x509: certificate is valid for gateway.example, not other.name": "by a name",
	} {
		got := describeFailure(fmt.Errorf("%w: %w", client.ErrConnection, errors.New(words)))
		if got.Reason != fault.ReasonUnreachable || !strings.Contains(got.Hint, want) {
			t.Errorf("%s: %+v", words, got)
		}
	}
}
