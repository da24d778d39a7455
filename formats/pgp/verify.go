// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// parsed is a signature whose key is known.
type parsed struct {
	sig         *signature
	text        *cleartext // nil: detached
	key         publicKey
	raw         []byte // the signature in its scheme's encoding
	use         *keyUse
	findings    []formats.Finding
	description formats.Description
}

// buildRecipe says how to rebuild the signed bytes (RFC 9580, section 5.2.4).
func (p *parsed) buildRecipe() formats.Recipe {
	r := formats.Recipe{Prefix: p.sig.salt, Suffix: p.sig.trailer}
	if p.text != nil {
		r.Prefix = slices.Concat(p.sig.salt, p.text.signed)
	} else {
		r.Artifact, r.CRLF = true, p.sig.kind == kindText
	}
	return r
}

func artifactDigest(sum []byte) formats.ArtifactDigest {
	return formats.ArtifactDigest{Digest: formats.Digest{Algorithm: formats.SHA256, Value: sum}, Evidence: formats.EvidenceBytes}
}

// verifyCleartext verifies over the embedded text. A file given beside it is then the artifact; a signed digest
// must be the text's, which is hashed all the same.
func (p *parsed) verifyCleartext(m *formats.Meter, a formats.Artifact, beside []byte) (*formats.Verified, error) {
	if err := m.ChargeBytes(2 * len(p.text.signed)); err != nil {
		return nil, err
	}
	h := p.newHash()
	h.Write(p.sig.salt)
	h.Write(p.text.signed)
	h.Write(p.sig.trailer)
	sum, err := sumHash(h)
	if err != nil {
		return nil, err
	}
	if d := a.SignedDigest(); d != nil && !bytes.Equal(d.Value, sum) {
		return nil, p.errArtifact()
	}
	file := p.text.signed
	if a.Reader() != nil {
		file = beside
	}
	digest := sha256.Sum256(file)
	return p.verifySum(sum, []formats.ArtifactDigest{artifactDigest(digest[:])}, int64(len(file)))
}

// readBeside reads the file given beside a cleartext signature, which must have its text. Line ends can make it longer
// than the text, blanks at line ends too; nothing is more than the signature itself may be.
func (p *parsed) readBeside(ctx context.Context, a formats.Artifact) ([]byte, error) {
	if a.Digest() != nil {
		return nil, formats.NewError(formats.ReasonArtifactNotExpected, "a cleartext signature holds its artifact", "send it without a digest")
	}
	if a.Reader() == nil {
		return nil, nil
	}
	var file bytes.Buffer
	n, err := formats.Copy(ctx, &file, io.LimitReader(a.Reader(), formats.MaxSignatureSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading the artifact: %w", err)
	}
	if n > formats.MaxSignatureSize || !p.text.matchesFile(file.Bytes()) {
		return nil, p.errArtifact()
	}
	return file.Bytes(), nil
}

// verifySigned verifies over the digest of the signed bytes that a client computed, one of those taken.
func (p *parsed) verifySigned(d formats.Digest, taken []formats.DigestAlgorithm) (*formats.Verified, error) {
	if len(taken) == 0 {
		return nil, formats.NewError(formats.ReasonNeedsBytes,
			"this signature cannot be checked without the artifact", "send the artifact")
	}
	if want := taken[0]; d.Algorithm != want {
		return nil, formats.NewError(formats.ReasonWrongDigestAlgorithm,
			fmt.Sprintf("the signature is over a %s digest, not %.20q", want, d.Algorithm), "send the digest that the projection names")
	}
	if len(d.Value) != p.sig.hash.Size() {
		return nil, formats.NewError(formats.ReasonMalformedDigest, "the digest has the wrong length", "send the digest that the projection names")
	}
	return p.verifySum(bytes.Clone(d.Value), nil, -1)
}

// verifySum checks the signature over sum, the digest of the signed bytes.
func (p *parsed) verifySum(sum []byte, digests []formats.ArtifactDigest, size int64) (*formats.Verified, error) {
	if !bytes.Equal(sum[:2], p.sig.tag[:]) {
		return nil, p.errArtifact()
	}
	projections, ok := p.verifyDigest(sum)
	if !ok {
		return nil, formats.NewError(formats.ReasonSignatureInvalid, "the signature does not verify",
			"check that the signature, the key and the artifact belong together")
	}
	return &formats.Verified{
		Digests:     digests,
		Size:        size,
		Signers:     slices.Clone(p.description.Signers),
		Keys:        [][]byte{bytes.Clone(p.use.minimal)},
		Canonical:   p.encodeCanonical(),
		Projections: projections,
		Checks:      p.listChecks(),
	}, nil
}

// verifyDigest reports whether the signature verifies over sum, and returns what it can be recorded as. The check of that is the
// same computation with the same key as the signature's own, so that it stands in its place.
func (p *parsed) verifyDigest(sum []byte) (projections []formats.Projection, ok bool) {
	if len(p.description.Candidates) == 0 {
		return nil, p.key.verifyDigest(p.sig.hash, sum, p.raw)
	}
	for _, c := range p.description.Candidates {
		checked, err := p.checkProjection(c, sum)
		if err != nil {
			return nil, false
		}
		projections = append(projections, checked)
	}
	return projections, true
}

// checkProjection returns the projection as c, once it has verified. EdDSA's message is the digest (RFC 9580, section 5.2.4).
func (p *parsed) checkProjection(c formats.Candidate, sum []byte) (formats.Projection, error) {
	projection := formats.Projection{Candidate: c, Signature: bytes.Clone(p.raw), Recipe: p.buildRecipe()}
	if c.Scheme == formats.Ed25519 {
		projection.Recipe.Hash, _ = formats.AlgorithmOf(p.sig.hash)
		projection.Message = sum
		return projection.CheckMessage(sum)
	}
	projection.Digest = formats.Digest{Algorithm: c.Hash, Value: sum}
	return projection.Check()
}

// errArtifact is the refusal when not even the two octets of the digest that the signature
// packet repeats are right.
func (p *parsed) errArtifact() error {
	hint := "check that this is the very file that was signed"
	switch {
	case p.text != nil:
		hint = "check that the text was not changed after it was signed"
	case p.sig.kind == kindText:
		hint += "; it was signed as text, so blanks at line ends count and line ends do not"
	}
	return formats.NewError(formats.ReasonArtifactMismatch, "the signature is for another artifact", hint)
}

func (p *parsed) listChecks() []string {
	checks := []string{"signature", "signature-type", "signing-time", "signature-expiry", "critical-subpackets"}
	if p.sig.issuer.hashed {
		checks = append(checks, "issuer")
	}
	if p.historicalHash() {
		checks = append(checks, "sha1-collision-detection")
	}
	return append(checks, p.use.checks...)
}
