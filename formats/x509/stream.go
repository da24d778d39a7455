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
	pure    map[*reading]*ed25519stream.Verifier  // of Ed25519 keys
	sha1    sha1cd.CollisionResistantHash         // historical signatures only
	foreign foreign.Sniffer
}

func (s *parsed) newPass() (*pass, error) {
	p := &pass{
		hashes: map[formats.DigestAlgorithm]hash.Hash{formats.SHA256: formats.SHA256.New()},
		pure:   map[*reading]*ed25519stream.Verifier{},
	}
	for _, r := range s.all() {
		for _, a := range r.hashes {
			if p.hashes[a] == nil {
				p.hashes[a] = a.New()
			}
		}
		if r.scheme == formats.Ed25519ph {
			v, err := ed25519stream.New(r.key.Public.(ed25519.PublicKey), r.signature)
			if err != nil {
				return nil, formats.WrapError(err, formats.ReasonMalformedSignature, "this is no Ed25519 signature", "")
			}
			p.pure[r] = v
		}
		if r.named == crypto.SHA1 {
			p.sha1 = sha1cd.New().(sha1cd.CollisionResistantHash)
		}
	}
	return p, nil
}

// combineWriters returns what the artifact is written to. Pure Ed25519 hashes it once for each key: from the second on
// that is charged.
func (p *pass) combineWriters(m *formats.Meter) io.Writer {
	writers := []io.Writer{&p.foreign}
	for _, h := range p.hashes {
		writers = append(writers, h)
	}
	for _, v := range p.pure {
		writers = append(writers, v)
	}
	if p.sha1 != nil {
		writers = append(writers, p.sha1)
	}
	if more := len(p.pure) - 1; more > 0 {
		writers = append([]io.Writer{charging{m, more}}, writers...)
	}
	return io.MultiWriter(writers...)
}

// charging charges for what is written as often as it is hashed.
type charging struct {
	meter *formats.Meter
	times int
}

func (c charging) Write(b []byte) (int, error) {
	if err := c.meter.ChargeBytes(costHash * c.times * len(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// costHash is what hashing an octet costs, in octets that are looked at.
const costHash = 2

func (p *pass) sumDigest(a formats.DigestAlgorithm) formats.Digest {
	return formats.Digest{Algorithm: a, Value: p.hashes[a].Sum(nil)}
}

func (s *parsed) verifyBytes(ctx context.Context, m *formats.Meter, a formats.Artifact) (*formats.Verified, error) {
	p, err := s.newPass()
	if err != nil {
		return nil, err
	}
	size, err := formats.Copy(ctx, p.combineWriters(m), a.Reader())
	if err != nil {
		return nil, fmt.Errorf("reading the artifact: %w", err)
	}
	excluded, err := p.foreign.Finish()
	if err != nil {
		return nil, err
	}
	v, err := s.tryEach(func(r *reading) (*formats.Verified, error) { return r.decideForm(p) })
	if err != nil {
		return nil, err
	}
	v.Size = size
	v.Checks = append(v.Checks, excluded...)
	return v, nil
}

// decideForm tries pure Ed25519, which is what tools make as a rule, then the hashes in their order.
func (s *reading) decideForm(p *pass) (*formats.Verified, error) {
	if pure := p.pure[s]; pure != nil {
		if projection, ok := s.verifyPure(pure, p.sumDigest(formats.SHA256)); ok {
			v := s.buildVerified(&projection)
			v.Digests = p.listDigests(formats.SHA256)
			return v, nil
		}
	}
	for _, a := range s.hashes {
		if projection, ok := s.verifySignature(p.sumDigest(a)); ok {
			v := s.buildVerified(&projection)
			v.Digests = p.listDigests(a)
			return v, nil
		}
	}
	if p.sha1 == nil || s.named != crypto.SHA1 {
		return nil, s.errSignatureInvalid()
	}
	if err := s.checkSHA1(p.sha1); err != nil {
		return nil, err
	}
	return s.withoutDigest(p), nil
}

// withoutDigest is for a signature over no digest that a log takes.
func (s *reading) withoutDigest(p *pass) *formats.Verified {
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
func (s *reading) checkSHA1(h sha1cd.CollisionResistantHash) error {
	sum, collision := h.CollisionResistantSum(nil)
	if collision {
		return formats.NewError(formats.ReasonWeakAlgorithm, "the artifact was made for a SHA-1 collision", "do not trust this signature: the artifact was made to deceive")
	}
	if rsa.VerifyPKCS1v15(s.key.Public.(*rsa.PublicKey), crypto.SHA1, sum, s.signature) != nil {
		return s.errSignatureInvalid()
	}
	return nil
}
