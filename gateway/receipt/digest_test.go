// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// digestCase is a signature that verifies by a digest of its artifact.
type digestCase struct {
	format, signature, key, artifact string
	algorithm                        formats.DigestAlgorithm
	as                               receiptpb.Receipt_Representation
}

var digestCases = []digestCase{
	{"x509", "rsa2048.sig", "rsa2048.pem", "artifact.bin", formats.SHA256, receiptpb.Receipt_NATIVE},
	{"x509", "bundles/p256.json", "bundles/p256.pem", "artifact.bin", formats.SHA256, receiptpb.Receipt_NATIVE},
	{"ssh", "ecdsa-256.sig", "ecdsa-256.pub", "artifact.txt", formats.SHA512, receiptpb.Receipt_PROJECTED},
	{"ssh", "ed25519.sig", "ed25519.pub", "artifact.txt", formats.SHA512, receiptpb.Receipt_ATTESTED},
	{"pkcs7", "rsa2048.der", "rsa2048-cert.pem", "artifact.bin", formats.SHA256, receiptpb.Receipt_PROJECTED},
	{"pkcs7", "rsa2048-sha512.der", "rsa2048-cert.pem", "artifact.bin", formats.SHA512, receiptpb.Receipt_ATTESTED},
	{"minisign", "prehashed.minisig", "signer.pub", "artifact.txt", formats.BLAKE2b512, receiptpb.Receipt_ATTESTED},
	{"tuf", "targets.json", "root-1.json", "target.txt", formats.SHA256, receiptpb.Receipt_PROJECTED},
	{"tuf", "targets.json", "root-1.json", "targets.json", formats.SHA512, receiptpb.Receipt_PROJECTED},
}

func (c digestCase) read(t *testing.T, name string) []byte {
	return readFile(t, filepath.Join("../../formats", c.format, "testdata", name))
}

func digestOf(a formats.DigestAlgorithm, content []byte) *formats.Digest {
	h := a.New()
	h.Write(content)
	return &formats.Digest{Algorithm: a, Value: h.Sum(nil)}
}

// submitted returns the signature as it is recorded when the artifact's digest is sent, or its bytes.
func (c digestCase) submitted(t *testing.T, byDigest bool) (*signed, receipt.Options) {
	t.Helper()
	s := &signed{format: c.format, signature: c.read(t, c.signature), keys: [][]byte{c.read(t, c.key)}}
	s.policy.Now = timeFor(c.format)
	if s.content = c.read(t, c.artifact); byDigest {
		s.digest, s.content = digestOf(c.algorithm, s.content), nil
	}
	g := newGateway(t)
	if c.as == receiptpb.Receipt_ATTESTED {
		facts, _ := s.facts(t, c.as)
		s.attest(t, g, receipt.New(facts))
	} else {
		s.record(t, c.as)
	}
	o := s.options()
	o.GatewayTrust = trust(t, g, 0, -1)
	return s, o
}

// TestByDigest: all that a receipt proves of an artifact, it proves of the artifact's digest, and no less is asked of it.
func TestByDigest(t *testing.T) {
	for _, c := range digestCases {
		t.Run(c.format+" "+c.signature+" "+c.artifact, func(t *testing.T) {
			s, o := c.submitted(t, true)
			report, err := receipt.Verify(t.Context(), s.receipt, o)
			if err != nil || len(report.Entries) == 0 || !report.SignerChecked {
				t.Fatalf("%+v, error %v", report, err)
			}
			s.refused(t, o, receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { r.Entries = nil })
			stranger := o
			stranger.ExpectedKeys, stranger.ExpectedSigners = nil, ids(t, newKey(t))
			s.refused(t, stranger, receipt.ReasonSignerMismatch, nil)
			s.refused(t, o, receipt.ReasonMissingArtifact, func(r *receiptpb.Receipt) {
				r.Artifact.Digests = append(r.Artifact.Digests, &receiptpb.Digest{Algorithm: "sha384", Value: make([]byte, 48)})
			})
			o.Digest = digestOf(c.algorithm, []byte("another"))
			s.refused(t, o, receipt.ReasonArtifactMismatch, nil)
		})
	}
}

// TestDigestIsNotEnough: what only the bytes show is not taken for shown.
func TestDigestIsNotEnough(t *testing.T) {
	for _, c := range digestCases[:5] {
		s, o := c.submitted(t, false)
		o.Artifact, o.Digest = nil, digestOf(c.algorithm, s.content)
		s.refused(t, o, receipt.ReasonMissingArtifact, nil)
	}
	pgp := digestCase{"pgp", "rsa3072-SHA256.sig", "rsa3072.key", "artifact", formats.SHA256, receiptpb.Receipt_PROJECTED}
	s, o := pgp.submitted(t, false)
	o.Artifact, o.Digest = nil, digestOf(pgp.algorithm, s.content)
	s.refused(t, o, receipt.ReasonMissingArtifact, nil)
	o.Artifact = bytes.NewReader(s.content)
	if _, err := receipt.Verify(t.Context(), s.receipt, o); err == nil {
		t.Error("an artifact, and a digest that nobody looks at")
	}
}
