// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"bytes"
	"crypto/ed25519"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest/toy"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
)

// TestSeventhFormat: a format beside the others is planned, verified, logged and has its receipt,
// with nothing but its registration.
func TestSeventhFormat(t *testing.T) {
	t.Parallel()
	log := gatewaytest.NewLog()
	s, _ := run(t, log, filepath.Join(t.TempDir(), "gateway.db"), func(c *gatewaytest.Config) {
		c.Formats = formats.NewRegistry(append(slices.Clone(all.Formats().All()), toy.New())...)
	})
	artifact := []byte("a release signed by a seventh tool")
	signature, key := toy.Sign(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), artifact)
	r := gateway.Request{Tenant: gateway.DefaultTenant, Signature: signature, Keys: [][]byte{key}}

	plan, err := s.Plan(t.Context(), r)
	if err != nil || plan.Description.Format != "toy" || plan.Chosen != gateway.Projected {
		t.Fatalf("planned %q as %q, %v", plan.Description.Format, plan.Chosen, err)
	}
	sub := wait(t, s, submitBytes(t, s, r, artifact).ID)
	if sub.State != gateway.Logged || sub.Representation() != gateway.Projected || sub.Format != "toy" {
		t.Fatalf("state %s, representation %s, format %s", sub.State, sub.Representation(), sub.Format)
	}
	receipt, err := s.Receipt(t.Context(), sub)
	if got := receipt.GetSignature(); err != nil || got.GetFormat() != "toy" || !bytes.Equal(got.GetContent(), signature) || len(receipt.GetEntries()) != 1 {
		t.Errorf("receipt of format %q with %d entries, %v", got.GetFormat(), len(receipt.GetEntries()), err)
	}
	checkSeventhRefused(t, s, r)
}

// checkSeventhRefused: what its plugin refuses, the gateway does.
func checkSeventhRefused(t *testing.T, s *gatewaytest.Gateway, r gateway.Request) {
	t.Helper()
	_, err := s.Submit(t.Context(), r, gatewaytest.Bytes([]byte("another release")))
	if formats.ReasonOf(err) != formats.ReasonSignatureInvalid {
		t.Errorf("another artifact: %v", err)
	}
	r.Signature = append(bytes.Clone(r.Signature), "more\n"...)
	if _, err := s.Begin(t.Context(), r); formats.ReasonOf(err) != formats.ReasonMalformedSignature {
		t.Errorf("bytes after the signature: %v", err)
	}
}

func submitBytes(t *testing.T, s *gatewaytest.Gateway, r gateway.Request, artifact []byte) gateway.Submission {
	t.Helper()
	sub, err := s.Submit(t.Context(), r, gatewaytest.Bytes(artifact))
	if err != nil {
		t.Fatal(err)
	}
	return sub
}
