// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
)

// A certificate is logged when the caller asks for it, with a warning that names what becomes
// public, and never otherwise.
func TestPublishCertificate(t *testing.T) {
	s := service(t, gatewaytest.NewLog())
	request := gateway.Request{
		Tenant: gateway.DefaultTenant, Format: "x509",
		Signature: testdata(t, "x509/testdata/p256.sig"), Keys: [][]byte{testdata(t, "x509/testdata/p256-cert.pem")},
	}
	send := func(r gateway.Request) (gateway.Submission, error) {
		draft, err := s.Begin(r)
		if err != nil {
			return gateway.Submission{}, err
		}
		return draft.Submit(t.Context(), formats.FromReader(bytes.NewReader(testdata(t, "x509/testdata/artifact.bin"))))
	}
	logged := func(r gateway.Request) (hashedrekord.Record, gateway.Submission) {
		sub, err := send(r)
		if err != nil {
			t.Fatal(err)
		}
		sub = wait(t, s, sub.ID)
		record, err := hashedrekord.Parse(sub.Entries[0].Body)
		if err != nil {
			t.Fatal(err)
		}
		return record, sub
	}
	if record, _ := logged(request); len(record.Certificate) != 0 {
		t.Error("a certificate was logged that nobody asked for")
	}
	request.PublishCertificate = true
	record, sub := logged(request)
	if len(record.Certificate) == 0 {
		t.Error("no certificate was logged")
	}
	if notes := strings.Join(sub.Receipt.GetNotes(), "\n"); !strings.Contains(notes, "public in the log for ever") || !strings.Contains(notes, "CN=") {
		t.Errorf("the warning does not name what is public: %s", notes)
	}
	plan, err := s.Plan(request)
	if err != nil || !strings.Contains(strings.Join(plan.Description.Notes, "\n"), gateway.PublicationWarning) {
		t.Errorf("the plan does not warn: %v, %v", plan.Description.Notes, err)
	}
	bare := gatewaytest.Signed(t, "hello")
	bare.PublishCertificate = true
	draft, err := s.Begin(bare)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := draft.Submit(t.Context(), formats.Artifact{}); formats.ReasonOf(err) != gateway.ReasonNoCertificate {
		t.Errorf("a bare key: %v", err)
	}
}

// Nothing personal in signatures and keys reaches the log.
func TestNothingPersonalIsLogged(t *testing.T) {
	s, _ := run(t, gatewaytest.NewLog(), filepath.Join(t.TempDir(), "gateway.db"), func(c *gateway.Config) {
		c.Attester = attester(t)
		c.Formats = all.Formats()
	})
	for name, r := range map[string]struct {
		signature, key, artifact string
		personal                 []string
	}{
		"pgp":       {"pgp/testdata/rsa3072-SHA256.sig", "pgp/testdata/rsa3072.key", "pgp/testdata/artifact", []string{"@", "<"}},
		"pgp eddsa": {"pgp/testdata/ed25519.sig", "pgp/testdata/ed25519.key", "pgp/testdata/artifact", []string{"@", "<"}},
		"x509":      {"x509/testdata/p256.sig", "x509/testdata/p256-cert.pem", "x509/testdata/artifact.bin", []string{"CN"}},
		"minisign":  {"minisign/testdata/prehashed.minisig", "minisign/testdata/signer.pub", "minisign/testdata/artifact.txt", []string{"comment", "timestamp:"}},
	} {
		request := gateway.Request{Tenant: gateway.DefaultTenant, Signature: testdata(t, r.signature), Keys: [][]byte{testdata(t, r.key)},
			Labels: map[string]string{"secret-label": "secret-value"}}
		if name == "x509" {
			request.Format = "x509"
		}
		draft, err := s.Begin(request)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sub, err := draft.Submit(t.Context(), formats.FromReader(bytes.NewReader(testdata(t, r.artifact))))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		public := string(sub.Entries[0].Body) // the log's part, and what auditors may read of attestations:
		public += string(sub.Receipt.GetEntries()[0].GetBundle().GetDsseEnvelope().GetPayload())
		for _, p := range append(r.personal, "secret-") {
			if strings.Contains(public, p) {
				t.Errorf("%s: %q is public: %s", name, p, public)
			}
		}
	}
}
