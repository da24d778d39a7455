// SPDX-License-Identifier: Apache-2.0

package x509

import (
	"context"
	"crypto/rsa"
	"fmt"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/ed25519stream"
)

// Verify implements formats.Parsed. With several keys, the one that verifies is the signer's.
func (s *parsed) Verify(ctx context.Context, a formats.Artifact) (*formats.Verified, error) {
	m, err := formats.StartWork(ctx, hintWork)
	if err != nil {
		return nil, err
	}
	for _, r := range s.all() {
		if err := m.ChargeChecks(r.countChecks(), r.key.Public); err != nil {
			return nil, err
		}
	}
	switch {
	case a.Reader() != nil:
		return s.verifyBytes(ctx, m, a)
	case a.Digest() != nil:
		return s.tryEach(func(r *reading) (*formats.Verified, error) { return r.verifyDigest(*a.Digest()) })
	case a.SignedDigest() != nil:
		return nil, formats.NewError(formats.ReasonNeedsBytes, "an X.509 signature has no signed bytes but the artifact's",
			"send the artifact or its own digest")
	}
	return nil, formats.NewError(formats.ReasonMissingArtifact, "neither the artifact nor its digest was sent",
		"send the artifact or its digest")
}

// tryEach returns what the first reading that verifies says, or its refusal. When none does, the error is the first one's
// that the signature could have been good for.
func (s *parsed) tryEach(verify func(*reading) (*formats.Verified, error)) (*formats.Verified, error) {
	var first error
	for _, r := range s.all() {
		v, err := verify(r)
		if err == nil && r.refusal != nil {
			return nil, r.refusal
		}
		if err == nil {
			if len(s.readings) > 1 {
				v.Notes = append(slices.Clone(r.notes), v.Notes...)
			}
			return v, nil
		}
		if first == nil || formats.ReasonOf(first) == formats.ReasonWrongDigestAlgorithm {
			first = err
		}
	}
	if n := len(s.all()); n > 1 && formats.ReasonOf(first) == formats.ReasonSignatureInvalid {
		return nil, formats.NewError(formats.ReasonSignatureInvalid, fmt.Sprintf("the signature verifies with none of the %d keys that it fits", n),
			"check that signature, key and artifact belong together")
	}
	return nil, first
}

// countChecks returns how many signature checks the readings of a signature take: PSS is tried with two lengths of salt
// and checked once more as a log does, Ed25519 in two forms.
func (s *reading) countChecks() int {
	switch s.scheme {
	case formats.RSAPSS:
		return 3 * len(s.hashes)
	case formats.Ed25519ph:
		return 2
	}
	return max(len(s.hashes), 1)
}

func (s *reading) verifyDigest(d formats.Digest) (*formats.Verified, error) {
	if !slices.Contains(s.hashes, d.Algorithm) {
		return nil, s.wrongDigest()
	}
	if len(d.Value) != d.Algorithm.Hash().Size() || s.isAmbiguous(d.Value) {
		return nil, formats.NewError(formats.ReasonMalformedDigest, "the digest is not one of its algorithm",
			"send the artifact itself")
	}
	p, ok := s.verifySignature(d)
	if !ok {
		return nil, s.errSignatureInvalid()
	}
	v := s.buildVerified(&p)
	v.Size = -1
	v.Digests = []formats.ArtifactDigest{{Digest: d, Evidence: formats.EvidenceDigest}}
	v.Notes = []string{"with a digest alone it cannot be checked that the signed bytes are no other protocol's"}
	return v, nil
}

func (s *reading) wrongDigest() error {
	if len(s.hashes) == 0 {
		return formats.NewError(formats.ReasonNeedsBytes, "a SHA-1 signature is verified over the artifact's bytes only",
			"send the artifact")
	}
	return formats.NewError(formats.ReasonWrongDigestAlgorithm, "this signature is not over a digest of that kind",
		fmt.Sprintf("send the artifact, or its digest: %v", s.hashes))
}

// isAmbiguous reports whether value is a digest that starts with zeros. ECDSA reads a digest as a number, so that
// leading zeros would let a shorter digest pass as a longer one.
func (s *reading) isAmbiguous(value []byte) bool {
	const shortest = 32
	for _, b := range value[:max(len(value)-shortest, 0)] {
		if b != 0 {
			return false
		}
	}
	return s.scheme == formats.ECDSA && len(value) > shortest
}

// verifySignature reports whether the signature verifies over d, by the standard library's checks, and returns it as a
// projection.
func (s *reading) verifySignature(d formats.Digest) (formats.Projection, bool) {
	p := s.buildProjection(d)
	if s.scheme == formats.RSAPSS && !verifyPSS(s.key.Public.(*rsa.PublicKey), d.Algorithm.Hash(), d.Value, s.signature, s.shortestSalt()) {
		return p, false
	}
	p, err := p.Check()
	return p, err == nil
}

// verifyPure is verifySignature for pure Ed25519 over the bytes that v and d are of.
func (s *reading) verifyPure(v *ed25519stream.Verifier, d formats.Digest) (formats.Projection, bool) {
	p := s.buildProjection(d)
	p.Candidate = s.buildPureCandidate()
	p, err := p.CheckStream(v)
	return p, err == nil
}

// shortestSalt returns how long a salt the key asks for.
func (s *reading) shortestSalt() int {
	if s.key.PSS == nil {
		return 0
	}
	return s.key.PSS.Salt
}

func (s *reading) buildProjection(d formats.Digest) formats.Projection {
	p := formats.Projection{
		Candidate: s.buildCandidate(d.Algorithm), Digest: d, Signature: s.signature, Recipe: formats.Recipe{Artifact: true},
	}
	if len(s.key.Chain) > 0 {
		p.Certificate = s.key.Chain[0].Raw
	}
	return p
}

func (s *reading) errSignatureInvalid() error {
	if s.named != 0 {
		return formats.NewError(formats.ReasonArtifactMismatch, "the key made this signature for another artifact",
			"check that the signature and the artifact belong together")
	}
	hint := "check that signature, key and artifact belong together; the hash must be " + s.hashNames()
	if s.scheme == formats.RSAPSS {
		hint += ", with MGF1 over the same and a salt as long as the hash: openssl dgst -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:-1"
	}
	return formats.NewError(formats.ReasonSignatureInvalid, "the signature does not verify", hint)
}

func (s *reading) hashNames() string {
	out := string(s.hashes[0])
	for _, h := range s.hashes[1:] {
		out += " or " + string(h)
	}
	return out
}

// buildVerified returns the result; p is nil when there is no digest that can stand alone.
func (s *reading) buildVerified(p *formats.Projection) *formats.Verified {
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
	if p != nil && len(s.findings) == 0 {
		v.Projections = []formats.Projection{*p}
	}
	return v
}
