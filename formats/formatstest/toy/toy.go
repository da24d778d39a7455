// SPDX-License-Identifier: Apache-2.0

// Package toy is a signature format for tests: the smallest one that keeps every promise of a
// plugin, so that what a seventh format touches can be shown.
//
// A signature is the line "toy:HEX", Ed25519ph over the artifact; a key the line "key:HEX".
package toy

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

type format struct{}

// New returns the toy format.
func New() formats.Format { return format{} }

// Sign returns a signature over artifact, and the key to check it with.
func Sign(secret ed25519.PrivateKey, artifact []byte) (signature, key []byte) {
	digest := computeDigest(artifact)
	raw, err := secret.Sign(nil, digest.Value, &ed25519.Options{Hash: crypto.SHA512})
	if err != nil {
		panic(err) // options and digest fit each other
	}
	return encodeLine("toy:", raw), encodeLine("key:", secret.Public().(ed25519.PublicKey))
}

func computeDigest(artifact []byte) formats.Digest {
	h := formats.SHA512.New()
	h.Write(artifact)
	return formats.Digest{Algorithm: formats.SHA512, Value: h.Sum(nil)}
}

func encodeLine(prefix string, raw []byte) []byte {
	return []byte(prefix + hex.EncodeToString(raw) + "\n")
}

func decodeLine(text []byte, prefix string, size int) ([]byte, bool) {
	rest, ok := strings.CutPrefix(string(text), prefix)
	raw, err := hex.DecodeString(strings.TrimSuffix(rest, "\n"))
	return raw, ok && err == nil && len(raw) == size && string(bytes.TrimSuffix(encodeLine(prefix, raw), []byte("\n"))) == strings.TrimSuffix(string(text), "\n")
}

func errRefused(r formats.Reason, message string) error {
	return formats.NewError(r, message, "read the package comment")
}

func (format) Name() string { return "toy" }

func (format) Detect(signature []byte) bool { return bytes.HasPrefix(signature, []byte("toy:")) }

func (format) Parse(ctx context.Context, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
	m, err := formats.StartWork(ctx, "read the package comment")
	if err != nil {
		return nil, err
	}
	if err := formats.CheckSizes(signature, keys); err != nil {
		return nil, err
	}
	for _, input := range append(keys[:len(keys):len(keys)], signature) {
		if err := m.ChargeBytes(4 * len(input)); err != nil {
			return nil, err
		}
	}
	raw, ok := decodeLine(signature, "toy:", ed25519.SignatureSize)
	if !ok {
		return nil, errRefused(formats.ReasonMalformedSignature, "the signature is not one line of hexadecimal digits")
	}
	candidates := p.CandidateKeys("toy", keys)
	if len(candidates) != 1 {
		return nil, errRefused(formats.ReasonMissingKey, "there is not exactly one key")
	}
	key, ok := decodeLine(candidates[0], "key:", ed25519.PublicKeySize)
	if !ok {
		return nil, errRefused(formats.ReasonMalformedKey, "the key is not one line of hexadecimal digits")
	}
	spki, err := x509.MarshalPKIXPublicKey(ed25519.PublicKey(key))
	if err != nil {
		return nil, errRefused(formats.ReasonMalformedKey, "the key cannot be encoded")
	}
	if err := p.CheckSigner(spki); err != nil {
		return nil, err
	}
	return &parsed{raw, key, spki, len(p.Keys["toy"]) > 0}, nil
}

type parsed struct {
	signature, key, spki []byte
	trusted              bool // the key is the policy's
}

func (p *parsed) describeSigners() []formats.Signer {
	return []formats.Signer{{SPKI: p.spki, Fingerprint: hex.EncodeToString(p.key[:8]), Algorithm: "Ed25519"}}
}

func (p *parsed) buildCandidate() formats.Candidate {
	return formats.Candidate{SPKI: p.spki, Scheme: formats.Ed25519ph, Hash: formats.SHA512}
}

func (p *parsed) Describe() formats.Description {
	return formats.Description{
		Format: "toy", Variant: "line", Algorithm: "Ed25519ph", Signers: p.describeSigners(), Threshold: 1,
		Need: formats.NeedDigest, Digests: []formats.DigestAlgorithm{formats.SHA512},
		Candidates: []formats.Candidate{p.buildCandidate()},
	}
}

func (p *parsed) Verify(ctx context.Context, a formats.Artifact) (*formats.Verified, error) {
	m, err := formats.StartWork(ctx, "read the package comment")
	if err != nil {
		return nil, err
	}
	if err := m.ChargeChecks(1, ed25519.PublicKey(p.key)); err != nil {
		return nil, err
	}
	switch {
	case a.Reader() != nil:
		sha256, sha512 := formats.SHA256.New(), formats.SHA512.New()
		n, err := formats.Copy(ctx, io.MultiWriter(sha256, sha512), a.Reader())
		if err != nil {
			return nil, fmt.Errorf("reading artifact: %w", err)
		}
		return p.verifySignature(formats.EvidenceBytes, n,
			formats.Digest{Algorithm: formats.SHA512, Value: sha512.Sum(nil)}, formats.Digest{Algorithm: formats.SHA256, Value: sha256.Sum(nil)})
	case a.Digest() == nil:
		return nil, errRefused(formats.ReasonMissingArtifact, "there is no artifact")
	case a.Digest().Algorithm != formats.SHA512:
		return nil, errRefused(formats.ReasonWrongDigestAlgorithm, "the signature is over a SHA-512 digest")
	}
	return p.verifySignature(formats.EvidenceDigest, -1, *a.Digest())
}

// verifySignature checks the signature over digests[0].
func (p *parsed) verifySignature(e formats.Evidence, size int64, digests ...formats.Digest) (*formats.Verified, error) {
	projection, err := formats.Projection{
		Candidate: p.buildCandidate(), Digest: digests[0], Signature: p.signature, Recipe: formats.Recipe{Artifact: true},
	}.Check()
	if err != nil {
		if p.trusted {
			return nil, errRefused(formats.ReasonKeyNotTrusted, "the signature is not by the policy's key")
		}
		return nil, err
	}
	v := &formats.Verified{
		Size: size, Signers: p.describeSigners(), Keys: [][]byte{encodeLine("key:", p.key)}, Canonical: p.signature,
		Projections: []formats.Projection{projection}, Checks: []string{"signature"},
	}
	for _, d := range digests {
		v.Digests = append(v.Digests, formats.ArtifactDigest{Digest: d, Evidence: e})
	}
	return v, nil
}
