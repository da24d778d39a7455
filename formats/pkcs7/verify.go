// SPDX-License-Identifier: Apache-2.0

package pkcs7

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

func errSignatureInvalid() error {
	return formats.NewError(formats.ReasonSignatureInvalid, "the signature does not verify",
		"check that the signature, the certificate and the artifact belong together")
}

func errArtifactMismatch() error {
	return formats.NewError(formats.ReasonArtifactMismatch, "the signature is for another artifact",
		"check that the signature and the artifact belong together, and sign files with -binary")
}

// checkSignature checks what can be checked without the artifact: signed attributes, and a content inside.
func (s *parsed) checkSignature(m *formats.Meter) error {
	size := len(s.data.signer.attributes) + 3*len(s.content) // the content also in two forms
	if err := m.ChargeBytes(size); err != nil {
		return err
	}
	if err := m.ChargeChecks(2, s.key.Public); err != nil {
		return err
	}
	if s.attributes != nil {
		h := newHash(s.scheme.hash)
		h.Write(s.data.signer.attributes)
		digest, err := sumHash(h)
		if err != nil {
			return err
		}
		if !s.verifySignature(digest) {
			return errSignatureInvalid()
		}
		s.digest = digest
	}
	if s.content == nil {
		return nil
	}
	p := newHasher(s.scheme.hash)
	_, _ = p.Write(s.content)
	found, err := s.matchContent(p)
	if err != nil {
		return err
	}
	if s.crlf = found.crlf; s.crlf && s.data.content != nil {
		return errArtifactMismatch() // what is inside a CMS value is signed as it is
	}
	if s.attributes == nil {
		s.digest, s.excluded = found.digest, found.excluded
	}
	return nil
}

// matchContent returns the form of the content that was signed.
func (s *parsed) matchContent(p *hasher) (candidate, error) {
	candidates, err := p.computeCandidates()
	if err != nil {
		return candidate{}, err
	}
	for _, c := range candidates {
		if s.attributes != nil {
			if bytes.Equal(c.digest, s.attributes.messageDigest) {
				return c, nil
			}
			continue
		}
		if c.foreign != nil {
			return candidate{}, c.foreign
		}
		if s.verifySignature(c.digest) {
			return c, nil
		}
	}
	if s.attributes != nil {
		return candidate{}, errArtifactMismatch()
	}
	return candidate{}, errSignatureInvalid()
}

// Verify implements formats.Parsed.
func (s *parsed) Verify(ctx context.Context, a formats.Artifact) (*formats.Verified, error) {
	m, err := formats.StartWork(ctx, hintWork)
	if err != nil {
		return nil, err
	}
	if err := m.ChargeChecks(2, s.key.Public); err != nil { // as it is, and with line ends as CRLF
		return nil, err
	}
	if err := m.ChargeBytes(8*len(s.content) + s.data.unsigned.size()); err != nil { // hashed; the content compared in all forms, too
		return nil, err
	}
	switch {
	case a.SignedDigest() != nil:
		return nil, formats.NewError(formats.ReasonNeedsBytes, "a digest of the signed attributes says nothing of the artifact",
			"send the artifact or its own digest")
	case s.content != nil:
		return s.verifyAttached(ctx, a)
	case a.Reader() != nil:
		return s.verifyDetached(ctx, a.Reader())
	case a.Digest() != nil:
		return s.verifyDigest(*a.Digest())
	}
	return nil, formats.NewError(formats.ReasonMissingArtifact, "neither the artifact nor its digest was sent",
		"send the artifact or its digest")
}

func (s *parsed) verifyDigest(d formats.Digest) (*formats.Verified, error) {
	want, known := formats.AlgorithmOf(s.scheme.hash)
	switch {
	case s.attributes == nil:
		return nil, formats.NewError(formats.ReasonNeedsBytes, "without signed attributes the artifact's bytes are needed",
			"send the artifact, or sign without -noattr")
	case !known:
		return nil, formats.NewError(formats.ReasonNeedsBytes, "a SHA-1 signature is verified over the artifact's bytes only", "send the artifact")
	case d.Algorithm != want:
		return nil, formats.NewError(formats.ReasonWrongDigestAlgorithm, "the signature is over another kind of digest",
			"send the artifact's "+string(want)+" digest")
	case !bytes.Equal(d.Value, s.attributes.messageDigest):
		return nil, formats.NewError(formats.ReasonArtifactMismatch, "the signature is for another artifact",
			"send the artifact itself if it is a text that was signed without -binary")
	}
	v := s.buildVerified(s.digest, formats.Recipe{}, nil)
	v.Size = -1
	v.Digests = []formats.ArtifactDigest{{Digest: d, Evidence: formats.EvidenceDigest}}
	return v, nil
}

// reading is what one pass over an artifact's bytes yields.
type reading struct {
	hasher *hasher
	sha256 hash.Hash
	size   int64
}

func readArtifact(ctx context.Context, r io.Reader, h crypto.Hash) (*reading, error) {
	p := &reading{hasher: newHasher(h)}
	w := io.Writer(p.hasher)
	p.sha256 = p.hasher.plain
	if h != crypto.SHA256 {
		p.sha256 = crypto.SHA256.New()
		w = io.MultiWriter(p.hasher, p.sha256)
	}
	var err error
	if p.size, err = formats.Copy(ctx, w, r); err != nil {
		return nil, fmt.Errorf("reading the artifact: %w", err)
	}
	return p, nil
}

// listDigests returns SHA-256 and the signature's own digest.
func (p *reading) listDigests(h crypto.Hash) []formats.ArtifactDigest {
	out := []formats.ArtifactDigest{stateDigest(formats.SHA256, p.sha256.Sum(nil))}
	if a, ok := formats.AlgorithmOf(h); ok && a != formats.SHA256 {
		out = append(out, stateDigest(a, p.hasher.plain.Sum(nil)))
	}
	return out
}

func stateDigest(a formats.DigestAlgorithm, value []byte) formats.ArtifactDigest {
	return formats.ArtifactDigest{Digest: formats.Digest{Algorithm: a, Value: value}, Evidence: formats.EvidenceBytes}
}

func (s *parsed) verifyDetached(ctx context.Context, r io.Reader) (*formats.Verified, error) {
	p, err := readArtifact(ctx, r, s.scheme.hash)
	if err != nil {
		return nil, err
	}
	found, err := s.matchContent(p.hasher)
	if err != nil {
		return nil, err
	}
	digest, excluded := s.digest, []string(nil)
	if s.attributes == nil {
		digest, excluded = found.digest, found.excluded
	}
	v := s.buildVerified(digest, formats.Recipe{Artifact: true, CRLF: found.crlf}, excluded)
	v.Size, v.Digests = p.size, p.listDigests(s.scheme.hash)
	if found.crlf {
		v.Checks = append(v.Checks, crlfLineEnds)
	}
	return v, nil
}

const crlfLineEnds = "crlf-line-ends"

// buildVerified returns the result. For a signature without attributes there are the recipe and the checks
// that exclude other protocols.
func (s *parsed) buildVerified(digest []byte, r formats.Recipe, excluded []string) *formats.Verified {
	v := &formats.Verified{
		Signers: []formats.Signer{s.describeSigner()}, Keys: slices.Clone(s.keys), Canonical: s.encodeCanonical(), Form: s.digestForm(),
		Checks: []string{"signature", "signer-certificate"},
	}
	if s.attributes != nil {
		v.Checks = append(v.Checks, "message-digest", "content-type")
		if len(s.attributes.certHashes) > 0 {
			v.Checks = append(v.Checks, "signing-certificate")
		}
		r = formats.Recipe{Prefix: s.data.signer.attributes}
	} else {
		v.Checks = append(v.Checks, excluded...)
	}
	if s.rooted {
		v.Checks = append(v.Checks, "certificate-chain")
	}
	if a, ok := formats.AlgorithmOf(s.scheme.hash); ok && len(s.findings) == 0 {
		v.Projections = []formats.Projection{{
			Candidate: s.buildCandidate(a), Digest: formats.Digest{Algorithm: a, Value: digest},
			Signature: s.data.signer.signature, Certificate: s.key.Chain[0].Raw, Recipe: r,
		}}
	}
	return v
}
