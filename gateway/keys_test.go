// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
)

// signedBy returns a key's signature over artifact and two certificates of that key that differ in name and expiry.
func signedBy(t *testing.T, artifact []byte) (signature []byte, certificates [2][]byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(artifact)
	if signature, err = ecdsa.SignASN1(rand.Reader, key, digest[:]); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"first", "second"} {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature,
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Duration(i+1) * 24 * time.Hour),
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		certificates[i] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	return signature, certificates
}

// TestReceiptHasTheSendersCertificate: another certificate of the same key is another submission, so that the receipt shows,
// and the log publishes, the one that was sent.
func TestReceiptHasTheSendersCertificate(t *testing.T) {
	t.Parallel()
	artifact := []byte("artifact\n")
	signature, certificates := signedBy(t, artifact)
	for name, publish := range map[string]bool{"published": true, "kept": false} {
		t.Run(name, func(t *testing.T) {
			s := startGateway(t, gatewaytest.NewLog())
			var ids []string
			for range 2 {
				for _, certificate := range certificates {
					sub, err := s.Submit(t.Context(), gateway.Request{
						Tenant: gateway.DefaultTenant, Format: "x509", Signature: signature, Keys: [][]byte{certificate}, PublishCertificate: publish,
					}, gatewaytest.Bytes(artifact))
					if err != nil {
						t.Fatal(err)
					}
					ids = append(ids, sub.ID)
					stored := s.Archived(t, wait(t, s, sub.ID))
					if keys := stored.Receipt.GetSignature().GetKeys(); len(keys) != 1 || !bytes.Equal(keys[0], certificate) {
						t.Errorf("the receipt shows the keys %q", keys)
					}
					record, err := hashedrekord.Parse(stored.Entries[0].Body)
					if block, _ := pem.Decode(certificate); err != nil || bytes.Equal(record.Certificate, block.Bytes) != publish {
						t.Errorf("the log has the certificate %x, %v", record.Certificate, err)
					}
				}
			}
			if ids[0] == ids[1] || !slices.Equal(ids[:2], ids[2:]) {
				t.Errorf("two certificates, sent twice, are the submissions %q", ids)
			}
		})
	}
}

// TestReceiptHasTheSendersLine: so is another allowed_signers line, whose validity the receipt is judged by later.
func TestReceiptHasTheSendersLine(t *testing.T) {
	t.Parallel()
	s := startGateway(t, gatewaytest.NewLog())
	pub := strings.TrimSpace(string(testdata(t, "ssh/testdata/ecdsa-256.pub")))
	signature := testdata(t, "ssh/testdata/ecdsa-256.sig")
	later := formats.Policy{Now: time.Date(2095, 1, 1, 0, 0, 0, 0, time.UTC)}
	var ids []string
	for range 2 {
		for _, c := range []struct {
			before string
			want   formats.Reason
		}{{"20900101", formats.ReasonKeyExpired}, {"20990101", ""}} {
			sub, err := s.Submit(t.Context(), gateway.Request{
				Tenant: gateway.DefaultTenant, Format: "ssh", Signature: signature, Keys: [][]byte{[]byte(`a@b valid-before="` + c.before + `" ` + pub + "\n")},
			}, gatewaytest.Bytes(testdata(t, "ssh/testdata/artifact.txt")))
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, sub.ID)
			keys := s.Archived(t, wait(t, s, sub.ID)).Receipt.GetSignature().GetKeys()
			if _, err := all.Formats().Parse(t.Context(), "ssh", signature, keys, later); formats.ReasonOf(err) != c.want {
				t.Errorf("the receipt of who sent %s: %v", c.before, err)
			}
		}
	}
	if ids[0] == ids[1] || !slices.Equal(ids[:2], ids[2:]) {
		t.Errorf("two lines, sent twice, are the submissions %q", ids)
	}
}
