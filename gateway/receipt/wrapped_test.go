// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"encoding/base64"
	"path/filepath"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// A receipt has the signature file as it was submitted. Whatever stood around that, and whatever stands around the key file that
// the verifier has, it verifies.
func TestWrappedFiles(t *testing.T) {
	wrappings := map[string]func([]byte) []byte{
		"as it is":        func(b []byte) []byte { return b },
		"byte order mark": func(b []byte) []byte { return onText(b, func() []byte { return append([]byte("\xef\xbb\xbf"), b...) }) },
		"blank lines": func(b []byte) []byte {
			return onText(b, func() []byte { return slices.Concat([]byte("\n \r\n"), b, []byte("\r\n\n \t")) })
		},
		"base64": func(b []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(b) + "\n") },
	}
	g := newGateway(t)
	for _, c := range []struct {
		format, signature, key, artifact string
		as                               receiptpb.Receipt_Representation
	}{
		{"pgp", "armored.asc", "rsa3072.key", "artifact", receiptpb.Receipt_ATTESTED},
		{"pgp", "cleartext.asc", "rsa3072.key", "", receiptpb.Receipt_PROJECTED},
		{"pgp", "p384.sig", "p384.key", "artifact", receiptpb.Receipt_PROJECTED},
		{"ssh", "ecdsa-256.sig", "allowed.signers", "artifact.txt", receiptpb.Receipt_PROJECTED},
		{"pkcs7", "rsa2048.der", "rsa2048-cert.pem", "artifact.bin", receiptpb.Receipt_PROJECTED},
		{"minisign", "prehashed.minisig", "signer.pub", "artifact.txt", receiptpb.Receipt_ATTESTED},
		{"minisign", "usign.sig", "release.pub", "artifact.txt", receiptpb.Receipt_ATTESTED},
		{"tuf", "targets.json", "root-1.json", "target.txt", receiptpb.Receipt_PROJECTED},
		{"x509", "rsa3072.b64", "rsa3072.pem", "artifact.bin", receiptpb.Receipt_NATIVE},
		{"x509", "p256.sig", "p256-cert.der", "artifact.bin", receiptpb.Receipt_NATIVE},
	} {
		data := func(name string) []byte {
			return readFile(t, filepath.Join("../../formats", c.format, "testdata", name))
		}
		for name, wrap := range wrappings {
			t.Run(c.format+" "+c.signature+", "+name, func(t *testing.T) {
				s := &signed{format: c.format, signature: wrap(data(c.signature)), keys: [][]byte{wrap(data(c.key))}}
				s.policy.Now = timeFor(c.format)
				if c.artifact != "" {
					s.content = data(c.artifact)
				}
				if c.as == receiptpb.Receipt_ATTESTED {
					facts, _ := s.facts(t, c.as)
					s.attest(t, g, receipt.New(facts))
				} else {
					s.record(t, c.as)
				}
				if !bytes.Equal(s.receipt.GetSignature().GetContent(), s.signature) {
					t.Error("the receipt has another signature file than was submitted")
				}
				for other, wrapKey := range wrappings {
					o := s.options()
					o.GatewayTrust, o.ExpectedKeys = trust(t, g, 0, -1), [][]byte{wrapKey(data(c.key))}
					if _, err := receipt.Verify(t.Context(), s.receipt, o); err != nil {
						t.Errorf("with the key file, %s: %v", other, err)
					}
				}
				o := s.options()
				o.GatewayTrust, o.ExpectedKeys = trust(t, g, 0, -1), [][]byte{readFile(t, "../../formats/x509/testdata/ed448.pem")}
				if _, err := receipt.Verify(t.Context(), s.receipt, o); err == nil || formats.ReasonOf(err) == "" {
					t.Errorf("with another key file: %v", err)
				}
			})
		}
	}
}

func onText(b []byte, wrap func() []byte) []byte {
	if !utf8.Valid(b) {
		return b
	}
	return wrap()
}
