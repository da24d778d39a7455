// SPDX-License-Identifier: Apache-2.0

package pkcs7

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
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

// checkSignatures checks what can be checked without the artifact: signed attributes, and a content inside.
func (p *parsed) checkSignatures(m *formats.Meter) error {
	for i, s := range p.signers {
		if err := m.ChargeBytes(len(s.info.attributes)); err != nil {
			return err
		}
		if err := m.ChargeChecks(2, s.key.Public); err != nil {
			return err
		}
		if s.attributes == nil {
			continue
		}
		if err := s.verifyAttributes(); err != nil {
			return nameSignature(err, i, len(p.signers))
		}
	}
	if p.content != nil {
		if err := p.matchInside(m); err != nil {
			return err
		}
	}
	return p.refuseRepeated()
}

// matchInside matches the content inside with all signers.
func (p *parsed) matchInside(m *formats.Meter) error {
	h, err := newContentHasher(p.signers)
	if err != nil {
		return err
	}
	if err := m.ChargeBytes((2 + h.countPasses()) * len(p.content)); err != nil {
		return err
	}
	_, _ = h.Write(p.content)
	forms, err := h.finish()
	if err != nil {
		return err
	}
	for i, s := range p.signers {
		found, err := s.matchContent(forms)
		if err != nil {
			return nameSignature(err, i, len(p.signers))
		}
		if found.crlf && p.data.content != nil || i > 0 && found.crlf != p.signers[0].inside.crlf {
			return errArtifactMismatch() // what is inside a CMS value is signed as it is
		}
		s.inside = &found
	}
	return nil
}

// Verify implements formats.Parsed.
func (p *parsed) Verify(ctx context.Context, a formats.Artifact) (*formats.Verified, error) {
	m, err := formats.StartWork(ctx, hintWork)
	if err != nil {
		return nil, err
	}
	if err := p.chargeVerify(m); err != nil {
		return nil, err
	}
	switch {
	case a.SignedDigest() != nil:
		return nil, formats.NewError(formats.ReasonNeedsBytes, "a digest of the signed attributes says nothing of the artifact",
			"send the artifact or its own digest")
	case p.content != nil:
		return p.verifyAttached(ctx, a)
	case a.Reader() != nil:
		return p.verifyDetached(ctx, a.Reader())
	case a.Digest() != nil:
		return p.verifyDigest(*a.Digest())
	}
	return nil, formats.NewError(formats.ReasonMissingArtifact, "neither the artifact nor its digest was sent",
		"send the artifact or its digest")
}

// chargeVerify charges for one call of Verify but for reading the artifact.
func (p *parsed) chargeVerify(m *formats.Meter) error {
	size := 8*len(p.content) + len(p.data.unsigned.certificates) + len(p.data.unsigned.revocations) // hashed; the content compared in all forms, too
	for _, s := range p.signers {
		size += len(s.info.unsigned) + len(s.info.attributes)
		if err := m.ChargeChecks(2, s.key.Public); err != nil { // as it is, and with line ends as CRLF
			return err
		}
	}
	return m.ChargeBytes(size)
}

// verifyDigest judges by a digest of the content, which signed attributes hold.
func (p *parsed) verifyDigest(d formats.Digest) (*formats.Verified, error) {
	if need, digests := p.decideNeed(); need == formats.NeedBytes {
		return nil, p.explainBytes()
	} else if d.Algorithm != digests[0] {
		return nil, formats.NewError(formats.ReasonWrongDigestAlgorithm, "the signature is over another kind of digest",
			"send the artifact's "+string(digests[0])+" digest")
	}
	var parts []*formats.Verified
	for i, s := range p.signers {
		if !bytes.Equal(d.Value, s.attributes.messageDigest) {
			return nil, nameSignature(formats.NewError(formats.ReasonArtifactMismatch, "the signature is for another artifact",
				"send the artifact itself if it is a text that was signed without -binary"), i, len(p.signers))
		}
		v := p.buildVerified(s, match{digest: s.digest, checked: s.checked}, formats.Recipe{})
		v.Size = -1
		v.Digests = []formats.ArtifactDigest{{Digest: d, Evidence: formats.EvidenceDigest}}
		parts = append(parts, v)
	}
	return formats.CombineVerified(parts, slices.Clone(p.keys)), nil
}

// explainBytes says why a digest is not enough.
func (p *parsed) explainBytes() error {
	for _, s := range p.signers {
		if s.attributes == nil {
			return formats.NewError(formats.ReasonNeedsBytes, "without signed attributes the artifact's bytes are needed",
				"send the artifact, or sign without -noattr")
		}
		if s.scheme.hash == crypto.SHA1 {
			return formats.NewError(formats.ReasonNeedsBytes, "a SHA-1 signature is verified over the artifact's bytes only", "send the artifact")
		}
	}
	return formats.NewError(formats.ReasonNeedsBytes, "the signatures in the file are over several kinds of digests", "send the artifact")
}

// readArtifact hashes an artifact for all signers, and with SHA-256 and the hashes in also.
func (p *parsed) readArtifact(ctx context.Context, r io.Reader, also ...crypto.Hash) ([]reading, int64, error) {
	h, err := newContentHasher(p.signers, also...)
	if err != nil {
		return nil, 0, err
	}
	w := io.Writer(h)
	sum := h.plain.hashes[crypto.SHA256]
	if sum == nil {
		sum = crypto.SHA256.New()
		w = io.MultiWriter(h, sum)
	}
	size, err := formats.Copy(ctx, w, r)
	if err != nil {
		return nil, 0, fmt.Errorf("reading the artifact: %w", err)
	}
	forms, err := h.finish()
	if err != nil {
		return nil, 0, err
	}
	forms[0].digests[crypto.SHA256] = sum.Sum(nil)
	return forms, size, nil
}

// listDigests returns SHA-256 and the signatures' own digests of what was read, as it is.
func (r reading) listDigests(hashes []crypto.Hash) []formats.ArtifactDigest {
	out := []formats.ArtifactDigest{stateDigest(formats.SHA256, r.digests[crypto.SHA256])}
	for _, h := range hashes {
		if a, _ := formats.AlgorithmOf(h); h != crypto.SHA256 {
			out = append(out, stateDigest(a, r.digests[h]))
		}
	}
	return out
}

// listHashes returns the signatures' hashes, without those too weak to be stated.
func (p *parsed) listHashes() []crypto.Hash {
	var out []crypto.Hash
	for _, s := range p.signers {
		if _, ok := formats.AlgorithmOf(s.scheme.hash); ok && !slices.Contains(out, s.scheme.hash) {
			out = append(out, s.scheme.hash)
		}
	}
	return out
}

func stateDigest(a formats.DigestAlgorithm, value []byte) formats.ArtifactDigest {
	return formats.ArtifactDigest{Digest: formats.Digest{Algorithm: a, Value: value}, Evidence: formats.EvidenceBytes}
}

func (p *parsed) verifyDetached(ctx context.Context, r io.Reader) (*formats.Verified, error) {
	forms, size, err := p.readArtifact(ctx, r)
	if err != nil {
		return nil, err
	}
	digests := forms[0].listDigests(p.listHashes())
	var parts []*formats.Verified
	for i, s := range p.signers {
		found, err := s.matchContent(forms)
		if err != nil {
			return nil, nameSignature(err, i, len(p.signers))
		}
		v := p.buildVerified(s, found, formats.Recipe{Artifact: true, CRLF: found.crlf})
		v.Size, v.Digests = size, digests
		if found.crlf {
			v.Checks = append(v.Checks, crlfLineEnds)
		}
		parts = append(parts, v)
	}
	return formats.CombineVerified(parts, slices.Clone(p.keys)), nil
}

const crlfLineEnds = "crlf-line-ends"

// buildVerified returns the result for one signer. For a signature without attributes there are the recipe and the
// checks that exclude other protocols.
func (p *parsed) buildVerified(s *signer, found match, r formats.Recipe) *formats.Verified {
	v := &formats.Verified{
		Signers: []formats.Signer{s.describe()}, Keys: slices.Clone(p.keys), Canonical: s.encodeCanonical(), Form: s.digestForm(p.data.unsigned),
		Checks: []string{"signature", "signer-certificate"},
	}
	if s.attributes != nil {
		v.Checks = append(v.Checks, "message-digest", "content-type")
		if len(s.attributes.certHashes) > 0 {
			v.Checks = append(v.Checks, "signing-certificate")
		}
		r = formats.Recipe{Prefix: s.info.attributes}
	} else {
		v.Checks = append(v.Checks, found.excluded...)
	}
	if s.rooted {
		v.Checks = append(v.Checks, "certificate-chain")
	}
	if s.refuseProjection() == nil {
		p := found.checked
		if !p.IsChecked() { // RSA-PSS
			a, _ := formats.AlgorithmOf(s.scheme.hash)
			p = s.buildProjection(formats.Digest{Algorithm: a, Value: found.digest})
		}
		p.Certificate, p.Recipe = s.key.Chain[0].Raw, r
		v.Projections = []formats.Projection{p}
	}
	return v
}
