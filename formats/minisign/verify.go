// SPDX-License-Identifier: Apache-2.0

package minisign

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"

	gominisign "github.com/jedisct1/go-minisign"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/ed25519stream"
	"github.com/rekor-gateway/rekor-gateway/formats/foreign"
)

type parsedSignature struct {
	sig     *signature
	key     gominisign.PublicKey
	signer  formats.Signer
	claimed *time.Time

	withoutWhole bool // Policy.WithoutWhole

	excluded []string // checks that what is inside is no other protocol's
}

// Describe implements formats.Parsed.
func (p *parsedSignature) Describe() formats.Description {
	d := formats.Description{
		Format:      name,
		Variant:     "legacy",
		Algorithm:   "Ed25519",
		Signers:     []formats.Signer{cloneSigner(p.signer)},
		ClaimedTime: p.claimedTime(),
		Threshold:   1,
		Candidates:  []formats.Candidate{p.buildCandidate()},
	}
	switch {
	case p.sig.archive != nil:
		d.Variant, d.Need = "signify, gzip", formats.NeedNone
		d.Notes = []string{"the header of the gzip file and the untrusted comment in it are not signed"}
	case p.sig.message != nil:
		d.Variant, d.Need = "signify, embedded", formats.NeedNone
		d.Notes = []string{"signify signatures carry no trusted comment and no signing time"}
	case p.sig.signify:
		d.Variant = "signify"
		d.Notes = []string{"signify signatures carry no trusted comment and no signing time"}
	case p.sig.isPrehashed():
		d.Variant, d.Algorithm = "prehashed", "Ed25519/BLAKE2b-512"
		d.Need, d.Digests = formats.NeedDigest, []formats.DigestAlgorithm{formats.BLAKE2b512}
	}
	if !p.withoutWhole {
		d.Whole, d.NotWhole = p.buildWhole()
	}
	if p.claimed == nil && !p.sig.signify {
		d.Notes = []string{"the trusted comment claims no signing time"}
	}
	return d
}

func (p *parsedSignature) buildCandidate() formats.Candidate {
	return formats.Candidate{
		SPKI: bytes.Clone(p.signer.SPKI), Scheme: formats.Ed25519, Hash: formats.SHA256,
		Remedy: "use an attestation; to have the signature itself in the log, sign with an ECDSA P-256 key (openssl, cosign or ssh-keygen) as well",
	}
}

func (p *parsedSignature) buildProjection(r formats.Recipe) formats.Projection {
	return formats.Projection{Candidate: p.buildCandidate(), Signature: bytes.Clone(p.sig.Signature.Signature[:]), Recipe: r}
}

func cloneSigner(s formats.Signer) formats.Signer {
	s.SPKI = bytes.Clone(s.SPKI)
	return s
}

func (p *parsedSignature) claimedTime() *time.Time {
	if p.claimed == nil {
		return nil
	}
	t := *p.claimed
	return &t
}

// Verify implements formats.Parsed.
func (p *parsedSignature) Verify(ctx context.Context, artifact formats.Artifact) (*formats.Verified, error) {
	m, err := formats.StartWork(ctx, hintWork)
	if err != nil {
		return nil, err
	}
	if err := m.ChargeChecks(1, ed25519.PublicKey(p.key.PublicKey[:])); err != nil {
		return nil, err
	}
	if content := p.content(); content != nil {
		return p.verifyEmbedded(ctx, m, artifact, content)
	}
	switch {
	case artifact.Reader() != nil && p.sig.isPrehashed():
		return p.verifyPrehashed(ctx, artifact.Reader())
	case artifact.Reader() != nil:
		return p.verifyPure(ctx, artifact.Reader())
	case artifact.IsZero():
		return nil, formats.NewError(formats.ReasonMissingArtifact, "there is no artifact", "send the file that was signed")
	case !p.sig.isPrehashed():
		return nil, formats.NewError(formats.ReasonNeedsBytes, "this signature is over the file itself: a digest is not enough",
			"send the file, or sign with minisign without its option -l")
	}
	return p.verifyDigest(artifact.Digest())
}

func (p *parsedSignature) verifyPure(ctx context.Context, r io.Reader) (*formats.Verified, error) {
	v, err := ed25519stream.New(p.key.PublicKey[:], p.sig.Signature.Signature[:])
	if err != nil {
		return nil, fmt.Errorf("starting verification: %w", err) // Parse has refused such a signature
	}
	sha, sniffer := formats.SHA256.New(), new(foreign.Sniffer)
	size, err := formats.Copy(ctx, io.MultiWriter(v, sha, sniffer), r)
	if err != nil {
		return nil, fmt.Errorf("reading artifact: %w", err)
	}
	// An SSH key's signature, put into a signify file by anybody, is good for the SSHSIG blob.
	if _, err := sniffer.Finish(); err != nil {
		return nil, err
	}
	signed := sumDigest(formats.SHA256, sha, formats.EvidenceBytes)
	projection := p.buildProjection(formats.Recipe{Artifact: true})
	projection.Digest = signed.Digest
	if projection, err = projection.CheckStream(v); err != nil {
		return nil, p.errMismatch()
	}
	return p.buildVerified(size, projection, signed), nil
}

// checkPrehashed checks the signature over the artifact's BLAKE2b-512.
func (p *parsedSignature) checkPrehashed(digest []byte) (formats.Projection, error) {
	projection := p.buildProjection(formats.Recipe{Artifact: true, Hash: formats.BLAKE2b512})
	projection.Message = digest
	return projection.CheckMessage(digest)
}

func (p *parsedSignature) verifyPrehashed(ctx context.Context, r io.Reader) (*formats.Verified, error) {
	blake, sha := formats.BLAKE2b512.New(), formats.SHA256.New()
	size, err := formats.Copy(ctx, io.MultiWriter(blake, sha), r)
	if err != nil {
		return nil, fmt.Errorf("reading artifact: %w", err)
	}
	signed := sumDigest(formats.BLAKE2b512, blake, formats.EvidenceBytes)
	projection, err := p.checkPrehashed(signed.Value)
	if err != nil {
		return nil, p.errMismatch()
	}
	return p.buildVerified(size, projection, sumDigest(formats.SHA256, sha, formats.EvidenceBytes), signed), nil
}

func (p *parsedSignature) verifyDigest(d *formats.Digest) (*formats.Verified, error) {
	if d == nil || d.Algorithm != formats.BLAKE2b512 {
		return nil, formats.NewError(formats.ReasonWrongDigestAlgorithm, "this signature is over the file's BLAKE2b-512 digest",
			"send blake2b-512:HEX as printed by b2sum, or the file")
	}
	bound := formats.Digest{Algorithm: d.Algorithm, Value: bytes.Clone(d.Value)}
	projection, err := p.checkPrehashed(bound.Value)
	if err != nil {
		return nil, p.errMismatch()
	}
	return p.buildVerified(-1, projection, formats.ArtifactDigest{Digest: bound, Evidence: formats.EvidenceDigest}), nil
}

func sumDigest(a formats.DigestAlgorithm, h hash.Hash, e formats.Evidence) formats.ArtifactDigest {
	return formats.ArtifactDigest{Digest: formats.Digest{Algorithm: a, Value: h.Sum(nil)}, Evidence: e}
}

// errMismatch blames the artifact where it can: the global signature vouches for the signature's
// bytes, so it is the artifact that differs. signify gives no such certainty.
func (p *parsedSignature) errMismatch() error {
	if p.sig.signify {
		return formats.NewError(formats.ReasonSignatureInvalid, "the signature does not verify",
			"check that the signature, the key and the file belong together")
	}
	return formats.NewError(formats.ReasonArtifactMismatch, "key and signature belong together, but the signature is for another file",
		"send the very file that was signed; line ends count")
}

func (p *parsedSignature) buildVerified(size int64, projection formats.Projection, digests ...formats.ArtifactDigest) *formats.Verified {
	checks := []string{"key-id", "signature"}
	if !p.sig.signify {
		checks = append(checks, "global-signature")
	}
	if p.claimed != nil {
		checks = append(checks, "signing-time")
	}
	slices.Sort(checks)
	return &formats.Verified{
		Digests:   digests,
		Size:      size,
		Signers:   []formats.Signer{cloneSigner(p.signer)},
		Keys:      [][]byte{marshalKey(p.key)},
		Canonical: p.sig.encodeCanonical(),
		Checks:    checks,

		Projections: []formats.Projection{projection},
	}
}
