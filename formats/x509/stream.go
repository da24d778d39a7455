// SPDX-License-Identifier: Apache-2.0

package x509

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"hash"
	"io"

	"github.com/pjbgf/sha1cd"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/ed25519stream"
	"github.com/rekor-gateway/rekor-gateway/formats/foreign"
)

// pass is everything that one reading of the artifact feeds.
type pass struct {
	hashes  map[formats.DigestAlgorithm]hash.Hash // SHA-256 and those that are tried
	pure    *ed25519stream.Verifier               // Ed25519 only
	sha1    sha1cd.CollisionResistantHash         // historical signatures only
	foreign foreign.Sniffer
}

func (s *parsed) newPass() (*pass, error) {
	p := &pass{hashes: map[formats.DigestAlgorithm]hash.Hash{formats.SHA256: formats.SHA256.New()}}
	for _, a := range s.hashes {
		if p.hashes[a] == nil {
			p.hashes[a] = a.New()
		}
	}
	if s.scheme == formats.Ed25519ph {
		var err error
		if p.pure, err = ed25519stream.New(s.key.Public.(ed25519.PublicKey), s.signature); err != nil {
			return nil, formats.WrapError(err, formats.ReasonMalformedSignature, "this is no Ed25519 signature", "")
		}
	}
	if s.named == crypto.SHA1 {
		p.sha1 = sha1cd.New().(sha1cd.CollisionResistantHash)
	}
	return p, nil
}

func (p *pass) combineWriters() io.Writer {
	writers := []io.Writer{&p.foreign}
	for _, h := range p.hashes {
		writers = append(writers, h)
	}
	if p.pure != nil {
		writers = append(writers, p.pure)
	}
	if p.sha1 != nil {
		writers = append(writers, p.sha1)
	}
	return io.MultiWriter(writers...)
}

func (p *pass) sumDigest(a formats.DigestAlgorithm) formats.Digest {
	return formats.Digest{Algorithm: a, Value: p.hashes[a].Sum(nil)}
}

func (s *parsed) verifyBytes(ctx context.Context, a formats.Artifact) (*formats.Verified, error) {
	p, err := s.newPass()
	if err != nil {
		return nil, err
	}
	size, err := formats.Copy(ctx, p.combineWriters(), a.Reader())
	if err != nil {
		return nil, fmt.Errorf("reading the artifact: %w", err)
	}
	excluded, err := p.foreign.Finish()
	if err != nil {
		return nil, err
	}
	v, err := s.decideForm(p)
	if err != nil {
		return nil, err
	}
	v.Size = size
	v.Checks = append(v.Checks, excluded...)
	return v, nil
}

// decideForm tries pure Ed25519, which is what tools make as a rule, then the hashes in their order.
func (s *parsed) decideForm(p *pass) (*formats.Verified, error) {
	if p.pure != nil && p.pure.Verify() {
		return s.withoutDigest(p), nil
	}
	for _, a := range s.hashes {
		if d := p.sumDigest(a); s.verifySignature(d) {
			v := s.buildVerified(&d)
			v.Digests = p.listDigests(a)
			return v, nil
		}
	}
	if p.sha1 == nil {
		return nil, s.errSignatureInvalid()
	}
	if err := s.checkSHA1(p.sha1); err != nil {
		return nil, err
	}
	return s.withoutDigest(p), nil
}

// withoutDigest is for a signature over no digest that a log takes.
func (s *parsed) withoutDigest(p *pass) *formats.Verified {
	v := s.buildVerified(nil)
	v.Digests = p.listDigests(formats.SHA256)
	return v
}

// listDigests returns SHA-256 and the digest that the signature is over.
func (p *pass) listDigests(a formats.DigestAlgorithm) []formats.ArtifactDigest {
	out := []formats.ArtifactDigest{{Digest: p.sumDigest(formats.SHA256), Evidence: formats.EvidenceBytes}}
	if a != formats.SHA256 {
		out = append(out, formats.ArtifactDigest{Digest: p.sumDigest(a), Evidence: formats.EvidenceBytes})
	}
	return out
}

// checkSHA1 also refuses artifacts made for a SHA-1 collision.
func (s *parsed) checkSHA1(h sha1cd.CollisionResistantHash) error {
	sum, collision := h.CollisionResistantSum(nil)
	if collision {
		return formats.NewError(formats.ReasonWeakAlgorithm, "the artifact was made for a SHA-1 collision", hintSHA256)
	}
	if rsa.VerifyPKCS1v15(s.key.Public.(*rsa.PublicKey), crypto.SHA1, sum, s.signature) != nil {
		return s.errSignatureInvalid()
	}
	return nil
}
