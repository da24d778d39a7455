// SPDX-License-Identifier: Apache-2.0

package ssh

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/asn1"
	"fmt"
	"hash"
	"io"
	"slices"

	xssh "golang.org/x/crypto/ssh"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

type parsedSignature struct {
	*signature
	trust  *trust
	signer formats.Signer

	withoutWhole bool // Policy.WithoutWhole
}

// Describe implements formats.Parsed.
func (p *parsedSignature) Describe() formats.Description {
	d := formats.Description{
		Format:    name,
		Variant:   "SSHSIG, " + p.algorithm.kind,
		Algorithm: p.algorithmName(),
		Signers:   []formats.Signer{p.cloneSigner()},
		Need:      formats.NeedDigest,
		Digests:   []formats.DigestAlgorithm{p.hash},
		Threshold: 1,
		Findings:  slices.Clone(p.trust.findings),
		Notes:     append([]string{"the SSHSIG namespace is " + p.namespace}, p.trust.notes...),
	}
	if p.cert != nil {
		d.Variant += " certificate"
	}
	if !p.withoutWhole {
		d.Whole, d.NotWhole = p.buildWhole()
	}
	if c, refusal := p.buildCandidate(); refusal != nil {
		d.NotProjectable = refusal
	} else {
		d.Candidates = []formats.Candidate{c}
	}
	return d
}

func (p *parsedSignature) algorithmName() string {
	pub, err := cryptoKey(p.key)
	if err != nil {
		return p.signer.Algorithm
	}
	return p.algorithm.describeAlgorithm(pub)
}

func (p *parsedSignature) cloneSigner() formats.Signer {
	s := p.signer
	s.SPKI = bytes.Clone(s.SPKI)
	return s
}

// buildCandidate returns the hashedrekord of this signature, or why there is none.
func (p *parsedSignature) buildCandidate() (formats.Candidate, *formats.Error) {
	if len(p.trust.findings) > 0 {
		return formats.Candidate{}, formats.NewError(formats.ReasonNotProjectable,
			"a signature by an expired key can only be attested, as historical", "sign with a key that is valid now")
	}
	c := formats.Candidate{SPKI: bytes.Clone(p.signer.SPKI), Scheme: p.algorithm.scheme, Hash: p.algorithm.hash}
	c.Remedy = "sign with an ECDSA key: ssh-keygen -t ecdsa, then ssh-keygen -Y sign"
	switch {
	case c.Scheme == formats.Ed25519:
		c.Hash, c.Remedy = formats.SHA256, "use an attestation, or sign with an ECDSA key: ssh-keygen -t ecdsa (ecdsa-sk for a security key)"
	case c.Scheme == formats.RSAPKCS1v15 && c.Hash == formats.SHA512:
		c.Remedy = "OpenSSH signs with RSA keys as rsa-sha2-512 only; use an ECDSA key: ssh-keygen -t ecdsa"
	}
	return c, nil
}

// Verify implements formats.Parsed.
func (p *parsedSignature) Verify(ctx context.Context, artifact formats.Artifact) (*formats.Verified, error) {
	m, err := formats.StartWork(ctx, hintWork)
	if err != nil {
		return nil, err
	}
	key, err := cryptoKey(p.key)
	if err != nil {
		return nil, err
	}
	if err := m.ChargeChecks(1, key); err != nil {
		return nil, err
	}
	switch {
	case artifact.Reader() != nil:
		return p.verifyBytes(ctx, artifact.Reader())
	case artifact.IsZero():
		return nil, formats.NewError(formats.ReasonMissingArtifact, "there is no artifact", "send the file that was signed")
	}
	return p.verifyDigest(artifact.Digest())
}

func (p *parsedSignature) verifyBytes(ctx context.Context, r io.Reader) (*formats.Verified, error) {
	sha := formats.SHA256.New()
	signed, dst := sha, io.Writer(sha)
	if p.hash != formats.SHA256 {
		signed = p.hash.New()
		dst = io.MultiWriter(sha, signed)
	}
	size, err := formats.Copy(ctx, dst, r)
	if err != nil {
		return nil, fmt.Errorf("reading artifact: %w", err)
	}
	digests := []formats.ArtifactDigest{fromBytes(formats.SHA256, sha)}
	if p.hash != formats.SHA256 {
		digests = append(digests, fromBytes(p.hash, signed))
	}
	return p.verifySignature(size, digests)
}

func fromBytes(a formats.DigestAlgorithm, h hash.Hash) formats.ArtifactDigest {
	return formats.ArtifactDigest{Digest: formats.Digest{Algorithm: a, Value: h.Sum(nil)}, Evidence: formats.EvidenceBytes}
}

func (p *parsedSignature) verifyDigest(d *formats.Digest) (*formats.Verified, error) {
	if d == nil || d.Algorithm != p.hash || len(d.Value) != p.hash.Hash().Size() {
		return nil, formats.NewError(formats.ReasonWrongDigestAlgorithm, fmt.Sprintf("this signature is over the file's %s digest", p.hash),
			fmt.Sprintf("send %s:HEX as printed by %ssum, or the file", p.hash, p.hash))
	}
	bound := formats.Digest{Algorithm: d.Algorithm, Value: bytes.Clone(d.Value)}
	return p.verifySignature(-1, []formats.ArtifactDigest{{Digest: bound, Evidence: formats.EvidenceDigest}})
}

// verifySignature checks the signature over the last of digests, the one that it is made for.
func (p *parsedSignature) verifySignature(size int64, digests []formats.ArtifactDigest) (*formats.Verified, error) {
	blob := p.encodeSigned(digests[len(digests)-1].Value)
	projections, err := p.buildProjections(blob)
	if err != nil {
		return nil, err
	}
	if err := p.checkSignature(blob, projections); err != nil {
		return nil, formats.WrapError(err, formats.ReasonSignatureInvalid, "the signature does not verify",
			"check that signature and file belong together; line ends count")
	}
	checks := slices.Clone(p.trust.checks)
	slices.Sort(checks)
	return &formats.Verified{
		Digests:     digests,
		Size:        size,
		Signers:     []formats.Signer{p.cloneSigner()},
		Keys:        [][]byte{bytes.Clone(p.trust.line)},
		Canonical:   p.encodeCanonical(),
		Projections: projections,
		Checks:      checks,
	}, nil
}

// checkSignature verifies the signature over blob. The check of its projection is the same computation as the library's, with the
// same key, and stands in its place; but the library looks at a security key's flags as well.
func (p *parsedSignature) checkSignature(blob []byte, projections []formats.Projection) (err error) {
	if len(projections) == 0 || p.sk != nil {
		if err := p.key.Verify(blob, p.raw); err != nil {
			return err
		}
	}
	if len(projections) == 0 {
		return nil
	}
	one := &projections[0]
	if one.Scheme == formats.Ed25519 {
		*one, err = one.CheckMessage(one.Recipe.Prefix)
	} else {
		*one, err = one.Check()
	}
	return err
}

// buildProjections returns what the signature over blob can be recorded as, not checked yet: one projection at most.
func (p *parsedSignature) buildProjections(blob []byte) ([]formats.Projection, error) {
	c, refusal := p.buildCandidate()
	if refusal != nil {
		return nil, nil
	}
	prefix := blob
	if p.sk != nil {
		var err error
		if prefix, err = p.encodeAuthenticated(blob); err != nil {
			return nil, err
		}
	}
	h := c.Hash.New()
	h.Write(prefix)
	projection := formats.Projection{
		Candidate: c,
		Digest:    formats.Digest{Algorithm: c.Hash, Value: h.Sum(nil)},
		Signature: bytes.Clone(p.raw.Blob),
		Recipe:    formats.Recipe{Prefix: prefix},
	}
	if c.Scheme == formats.Ed25519 && p.sk == nil {
		projection.Message = prefix // its one text is the namespace, which the policy lists
	}
	if p.ecdsa != nil {
		der, err := asn1.Marshal(*p.ecdsa)
		if err != nil {
			return nil, fmt.Errorf("encoding signature: %w", err)
		}
		projection.Signature = der
	}
	return []formats.Projection{projection}, nil
}

// encodeAuthenticated returns what a security key signed: SHA-256 of the application, flags,
// counter, SHA-256 of the blob (PROTOCOL.u2f).
func (p *parsedSignature) encodeAuthenticated(blob []byte) ([]byte, error) {
	var (
		ecdsa   struct{ Type, Curve, Point, Application string }
		ed25519 struct{ Type, Point, Application string }
		name    = &ecdsa.Application
		key     = any(&ecdsa)
	)
	if p.algorithm.scheme == formats.Ed25519 {
		key, name = &ed25519, &ed25519.Application
	}
	if err := xssh.Unmarshal(p.key.Marshal(), key); err != nil {
		return nil, fmt.Errorf("reading security key: %w", err)
	}
	application, message := sha256.Sum256([]byte(*name)), sha256.Sum256(blob)
	return slices.Concat(application[:], xssh.Marshal(p.sk), message[:]), nil
}
