// SPDX-License-Identifier: Apache-2.0

package x509

import (
	"context"
	"crypto/rsa"
	"fmt"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Verify implements formats.Parsed.
func (s *parsed) Verify(ctx context.Context, a formats.Artifact) (*formats.Verified, error) {
	m, err := formats.StartWork(ctx, hintWork)
	if err != nil {
		return nil, err
	}
	if err := m.ChargeChecks(s.countChecks(), s.key.Public); err != nil {
		return nil, err
	}
	switch {
	case a.Reader() != nil:
		return s.verifyBytes(ctx, a)
	case a.Digest() != nil:
		return s.verifyDigest(*a.Digest())
	case a.SignedDigest() != nil:
		return nil, formats.NewError(formats.ReasonNeedsBytes, "an X.509 signature has no signed bytes but the artifact's",
			"send the artifact or its own digest")
	}
	return nil, formats.NewError(formats.ReasonMissingArtifact, "neither the artifact nor its digest was sent",
		"send the artifact or its digest")
}

// countChecks returns how many signature checks the readings of a signature take: PSS is tried with two lengths of salt
// and checked once more as a log does, Ed25519 in two forms.
func (s *parsed) countChecks() int {
	switch s.scheme {
	case formats.RSAPSS:
		return 3 * len(s.hashes)
	case formats.Ed25519ph:
		return 2
	}
	return max(len(s.hashes), 1)
}

func (s *parsed) verifyDigest(d formats.Digest) (*formats.Verified, error) {
	if !slices.Contains(s.hashes, d.Algorithm) {
		return nil, s.wrongDigest()
	}
	if len(d.Value) != d.Algorithm.Hash().Size() || s.isAmbiguous(d.Value) {
		return nil, formats.NewError(formats.ReasonMalformedDigest, "the digest is not one of its algorithm",
			"print it with: sha256sum FILE")
	}
	if !s.verifySignature(d) {
		return nil, s.errSignatureInvalid()
	}
	v := s.buildVerified(&d)
	v.Size = -1
	v.Digests = []formats.ArtifactDigest{{Digest: d, Evidence: formats.EvidenceDigest}}
	v.Notes = []string{"with a digest alone it cannot be checked that the signed bytes are no other protocol's"}
	return v, nil
}

func (s *parsed) wrongDigest() error {
	if len(s.hashes) == 0 {
		return formats.NewError(formats.ReasonNeedsBytes, "a SHA-1 signature is verified over the artifact's bytes only",
			"send the artifact")
	}
	return formats.NewError(formats.ReasonWrongDigestAlgorithm, "this signature is not over a digest of that kind",
		fmt.Sprintf("send the artifact, or its digest: %v", s.hashes))
}

// isAmbiguous reports whether value is a digest that starts with zeros. ECDSA reads a digest as a number, so that
// leading zeros would let a shorter digest pass as a longer one.
func (s *parsed) isAmbiguous(value []byte) bool {
	const shortest = 32
	for _, b := range value[:max(len(value)-shortest, 0)] {
		if b != 0 {
			return false
		}
	}
	return s.scheme == formats.ECDSA && len(value) > shortest
}

// verifySignature reports whether the signature verifies over d, by the standard library's checks.
func (s *parsed) verifySignature(d formats.Digest) bool {
	p := s.buildProjection(d)
	if s.scheme == formats.RSAPSS && !verifyPSS(s.key.Public.(*rsa.PublicKey), d.Algorithm.Hash(), d.Value, s.signature) {
		return false
	}
	return p.VerifyDigest() == nil
}

func (s *parsed) buildProjection(d formats.Digest) formats.Projection {
	p := formats.Projection{
		Candidate: s.buildCandidate(d.Algorithm), Digest: d, Signature: s.signature, Recipe: formats.Recipe{Artifact: true},
	}
	if len(s.key.Chain) > 0 {
		p.Certificate = s.key.Chain[0].Raw
	}
	return p
}

func (s *parsed) errSignatureInvalid() error {
	if s.named != 0 {
		return formats.NewError(formats.ReasonArtifactMismatch, "the key made this signature for another artifact",
			"check that the signature and the artifact belong together")
	}
	return formats.NewError(formats.ReasonSignatureInvalid, "the signature does not verify",
		"check that signature, key and artifact belong together; the hash must be "+s.hashNames())
}

func (s *parsed) hashNames() string {
	out := string(s.hashes[0])
	for _, h := range s.hashes[1:] {
		out += " or " + string(h)
	}
	return out
}

// buildVerified returns the result; d is nil when there is no digest that can stand alone.
func (s *parsed) buildVerified(d *formats.Digest) *formats.Verified {
	v := &formats.Verified{
		Signers: []formats.Signer{s.describeSigner()}, Keys: [][]byte{s.key.PEM()}, Canonical: s.canonical,
		Checks: []string{"signature"},
	}
	if len(s.key.Chain) > 0 {
		v.Checks = append(v.Checks, "certificate-key-usage")
	}
	if s.rooted {
		v.Checks = append(v.Checks, "certificate-chain")
	}
	if d != nil && len(s.findings) == 0 {
		v.Projections = []formats.Projection{s.buildProjection(*d)}
	}
	return v
}
