// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"bytes"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/armor"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/intake"
)

// A certificate is logged when the caller asks for it, with a warning that names what becomes
// public, and never otherwise.
func TestPublishCertificate(t *testing.T) {
	t.Parallel()
	s := startGateway(t, gatewaytest.NewLog())
	request := gateway.Request{
		Tenant: gateway.DefaultTenant, Format: "x509",
		Signature: testdata(t, "x509/testdata/p256.sig"), Keys: [][]byte{testdata(t, "x509/testdata/p256-cert.pem")},
	}
	send := func(r gateway.Request) (gateway.Submission, error) {
		return s.Submit(t.Context(), r, gatewaytest.Bytes(testdata(t, "x509/testdata/artifact.bin")))
	}
	logged := func(r gateway.Request) (hashedrekord.Record, gateway.Submission) {
		sub, err := send(r)
		if err != nil {
			t.Fatal(err)
		}
		sub = wait(t, s, sub.ID)
		record, err := hashedrekord.Parse(s.Archived(t, sub).Entries[0].Body)
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
	if notes := strings.Join(s.Archived(t, sub).Receipt.GetNotes(), "\n"); !strings.Contains(notes, "public in the log for ever") || !strings.Contains(notes, "CN=") {
		t.Errorf("the warning does not name what is public: %s", notes)
	}
	plan, err := s.Plan(t.Context(), request)
	if err != nil || !strings.Contains(strings.Join(plan.Description.Notes, "\n"), intake.PublicationWarning) {
		t.Errorf("the plan does not warn: %v, %v", plan.Description.Notes, err)
	}
	bare := gatewaytest.Signed(t, "hello")
	bare.PublishCertificate = true
	if _, err := s.Submit(t.Context(), bare, gatewaytest.NoArtifact); formats.ReasonOf(err) != gateway.ReasonNoCertificate {
		t.Errorf("a bare key: %v", err)
	}
}

// public is what the log shows of an entry, and what auditors may read of a statement, with no
// encoding in which a name could hide.
func public(t *testing.T, archived gateway.Archived, i int) string {
	t.Helper()
	r, err := hashedrekord.Parse(archived.Entries[i].Body)
	if err != nil {
		t.Fatal(err)
	}
	statement := archived.Receipt.GetEntries()[i].GetBundle().GetDsseEnvelope().GetPayload()
	return string(slices.Concat(r.Digest, r.Signature, r.SPKI, r.Certificate, statement))
}

// Nothing personal in signatures, keys and labels reaches the log, unless the caller asks for it.
func TestNothingPersonalIsLogged(t *testing.T) {
	t.Parallel()
	s, _ := run(t, gatewaytest.NewLog(), filepath.Join(t.TempDir(), "gateway.db"), func(c *gatewaytest.Config) { c.Attester = attester(t) })
	for name, c := range map[string]struct {
		format, signature, key, artifact string
		personal                         string // is in the key or signature that is sent
		asked                            bool   // to publish the certificate, so that it is public
	}{
		"pgp":         {"pgp", "rsa3072-SHA256.sig", "rsa3072.key", "artifact", "@example.org", false},
		"pgp eddsa":   {"pgp", "ed25519.sig", "ed25519.key", "artifact", "@example.org", false},
		"x509":        {"x509", "p256.sig", "p256-cert.der", "artifact.bin", "Test Issuer", false},
		"x509, asked": {"x509", "p256.sig", "p256-cert.der", "artifact.bin", "Test Issuer", true},
		"minisign":    {"minisign", "prehashed.minisig", "signer.pub", "artifact.txt", "comment: ", false},
		"ssh":         {"ssh", "cert-ecdsa.sig", "ca.signers", "artifact.txt", "@example", false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := c.format + "/testdata/"
			r := gateway.Request{
				Tenant: gateway.DefaultTenant, Format: c.format, Signature: testdata(t, dir+c.signature), Keys: [][]byte{testdata(t, dir+c.key)},
				Labels: map[string]string{"label": "secret-value"}, PublishCertificate: c.asked,
			}
			if sent := plain(r.Signature) + plain(r.Keys[0]); !strings.Contains(sent, c.personal) {
				t.Fatalf("%q is not in what is sent: this test could not fail", c.personal)
			}
			sub, err := s.Submit(t.Context(), r, gatewaytest.Bytes(testdata(t, dir+c.artifact)))
			if err != nil {
				t.Fatal(err)
			}
			got := public(t, s.Archived(t, sub), 0)
			if strings.Contains(got, c.personal) != c.asked {
				t.Errorf("%q is public: %v, want %v", c.personal, !c.asked, c.asked)
			}
			if strings.Contains(got, "secret-value") {
				t.Error("a label is public")
			}
		})
	}
}

// plain returns b and, when it is armored, what is inside of the armor.
func plain(b []byte) string {
	if block, err := armor.Decode(bytes.NewReader(b)); err == nil {
		if inner, err := io.ReadAll(block.Body); err == nil {
			return string(b) + string(inner)
		}
	}
	return string(b)
}

// What will be attested has no certificate to publish; that is said before the artifact is read.
func TestPublishCertificateOfAnAttestation(t *testing.T) {
	t.Parallel()
	s, _ := run(t, gatewaytest.NewLog(), filepath.Join(t.TempDir(), "gateway.db"), func(c *gatewaytest.Config) { c.Attester = attester(t) })
	_, err := s.Begin(t.Context(), gateway.Request{
		Tenant: gateway.DefaultTenant, Signature: testdata(t, "minisign/testdata/prehashed.minisig"),
		Keys: [][]byte{testdata(t, "minisign/testdata/signer.pub")}, PublishCertificate: true,
	})
	if formats.ReasonOf(err) != gateway.ReasonNoCertificate {
		t.Errorf("got %v", err)
	}
}
