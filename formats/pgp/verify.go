// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/pjbgf/sha1cd"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// parsed is a signature whose key is known. It is not changed once Parse has returned it.
type parsed struct {
	sig         *signature
	text        *cleartext // nil: detached
	key         publicKey
	raw         []byte // the signature in its scheme's encoding
	use         *keyUse
	findings    []formats.Finding
	description formats.Description
}

var _ formats.Parsed = (*parsed)(nil)

// Verify implements [formats.Parsed]. Given the artifact's bytes, it returns the Projection
// whose Digest is the very digest that FromSignedDigest takes: a client that verifies so needs
// nothing else to have a gateway verify without the artifact.
func (p *parsed) Verify(ctx context.Context, a formats.Artifact) (*formats.Verified, error) {
	m, err := formats.StartWork(ctx, hintWork)
	if err != nil {
		return nil, err
	}
	if err := m.ChargeChecks(1, p.key.key); err != nil {
		return nil, err
	}
	if p.text != nil {
		return p.verifyCleartext(ctx, m, a)
	}
	switch {
	case a.Reader() != nil:
		return p.verifyBytes(ctx, a.Reader())
	case a.SignedDigest() != nil:
		return p.verifySigned(*a.SignedDigest())
	case a.Digest() != nil:
		return nil, formats.NewError(formats.ReasonNeedsBytes, "a PGP signature is not over the artifact's own digest",
			"send the artifact, or let rekor-gateway submit verify it where the artifact is")
	}
	return nil, formats.NewError(formats.ReasonMissingArtifact, "the artifact is missing", "send the file that was signed")
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

func (p *parsed) newHash() hash.Hash {
	if p.historicalHash() {
		return sha1cd.New()
	}
	return p.sig.hash.New()
}

func (p *parsed) historicalHash() bool { return p.sig.hash.Size() == sha1cd.Size }

// verifyBytes hashes the artifact once: what the signature names and, unless that is the
// same, SHA-256.
func (p *parsed) verifyBytes(ctx context.Context, artifact io.Reader) (*formats.Verified, error) {
	signed, plain := p.newHash(), sha256.New()
	signed.Write(p.sig.salt)
	text := p.sig.kind == kindText
	same := !text && len(p.sig.salt) == 0 && p.sig.hash == formats.SHA256.Hash()
	var size int64
	var err error
	switch counted := (&counter{Reader: artifact}); {
	case same:
		size, err = formats.Copy(ctx, signed, artifact)
		plain = signed
	case text:
		body := formats.Recipe{Artifact: true, CRLF: true}.Reader(io.TeeReader(counted, plain))
		_, err = formats.Copy(ctx, signed, body)
		size = counted.n
	default:
		size, err = formats.Copy(ctx, io.MultiWriter(signed, plain), artifact)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the artifact: %w", err)
	}
	digest := artifactDigest(plain.Sum(nil)) // before the trailer is written to the same hash
	signed.Write(p.sig.trailer)
	sum, err := sumHash(signed)
	if err != nil {
		return nil, err
	}
	return p.verifySum(sum, []formats.ArtifactDigest{digest}, size)
}

// counter counts the bytes read through it.
type counter struct {
	io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += int64(n)
	return n, err
}

func artifactDigest(sum []byte) formats.ArtifactDigest {
	return formats.ArtifactDigest{Digest: formats.Digest{Algorithm: formats.SHA256, Value: sum}, Evidence: formats.EvidenceBytes}
}

// sumHash returns h's sum. Errors have ReasonWeakAlgorithm: a collision was found in SHA-1.
func sumHash(h hash.Hash) ([]byte, error) {
	c, ok := h.(sha1cd.CollisionResistantHash)
	if !ok {
		return h.Sum(nil), nil
	}
	sum, collision := c.CollisionResistantSum(nil)
	if collision {
		return nil, errWeak("the artifact was made to collide with another one in SHA-1", "do not trust this signature")
	}
	return sum, nil
}

// verifyCleartext verifies over the embedded text. A file given beside it must have that text and
// is then the artifact; a signed digest must be the text's, which is hashed all the same.
func (p *parsed) verifyCleartext(ctx context.Context, m *formats.Meter, a formats.Artifact) (*formats.Verified, error) {
	if a.Digest() != nil {
		return nil, formats.NewError(formats.ReasonArtifactNotExpected, "a cleartext signature holds its artifact", "send it without a digest")
	}
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
		if file, err = p.readBeside(ctx, a.Reader()); err != nil {
			return nil, err
		}
	}
	digest := sha256.Sum256(file)
	return p.verifySum(sum, []formats.ArtifactDigest{artifactDigest(digest[:])}, int64(len(file)))
}

// readBeside reads the file given beside a cleartext signature. Line ends can make it longer
// than the text, blanks at line ends too; nothing is more than the signature itself may be.
func (p *parsed) readBeside(ctx context.Context, r io.Reader) ([]byte, error) {
	var file bytes.Buffer
	n, err := formats.Copy(ctx, &file, io.LimitReader(r, formats.MaxSignatureSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading the artifact: %w", err)
	}
	if n > formats.MaxSignatureSize || !p.text.matchesFile(file.Bytes()) {
		return nil, p.errArtifact()
	}
	return file.Bytes(), nil
}

// verifySigned verifies over the digest of the signed bytes that a client computed.
func (p *parsed) verifySigned(d formats.Digest) (*formats.Verified, error) {
	if len(p.description.SignedDigests) == 0 {
		return nil, formats.NewError(formats.ReasonNeedsBytes,
			"this signature cannot be checked without the artifact", "send the artifact")
	}
	if want := p.description.SignedDigests[0]; d.Algorithm != want {
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
	if !p.key.verifyDigest(p.sig.hash, sum, p.raw) {
		return nil, formats.NewError(formats.ReasonSignatureInvalid, "the signature does not verify",
			"check that the signature, the key and the artifact belong together")
	}
	v := &formats.Verified{
		Digests:   digests,
		Size:      size,
		Signers:   slices.Clone(p.description.Signers),
		Keys:      [][]byte{bytes.Clone(p.use.minimal)},
		Canonical: p.encodeCanonical(),
		Checks:    p.listChecks(),
	}
	for _, c := range p.description.Candidates {
		v.Projections = append(v.Projections, formats.Projection{
			Candidate: c,
			Digest:    formats.Digest{Algorithm: c.Hash, Value: sum},
			Signature: bytes.Clone(p.raw),
			Recipe:    p.buildRecipe(),
		})
	}
	return v, nil
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
