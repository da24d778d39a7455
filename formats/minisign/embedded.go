// SPDX-License-Identifier: Apache-2.0

package minisign

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"

	gominisign "github.com/jedisct1/go-minisign"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/foreign"
)

// checkEmbedded checks a signature over what the file holds itself, and returns the checks that it is no other
// protocol's. It does nothing for a detached signature.
func checkEmbedded(m *formats.Meter, sig *signature, key gominisign.PublicKey) (excluded []string, err error) {
	if sig.message == nil {
		return nil, nil
	}
	if err := m.ChargeBytes(4 * len(sig.message)); err != nil {
		return nil, err
	}
	if err := m.ChargeChecks(1, ed25519.PublicKey(key.PublicKey[:])); err != nil {
		return nil, err
	}
	sniffer := new(foreign.Sniffer)
	_, _ = sniffer.Write(sig.message) // never fails
	if excluded, err = sniffer.Finish(); err != nil {
		return nil, err
	}
	if !ed25519.Verify(key.PublicKey[:], sig.message, sig.Signature.Signature[:]) {
		return nil, formats.NewError(formats.ReasonSignatureInvalid, "the signature does not verify over what follows it in the file",
			"send the file as signify wrote it, to its last byte; of a detached signature send the two lines alone")
	}
	if sig.archive == nil {
		return excluded, nil
	}
	return excluded, sig.archive.checkHashes(m)
}

// content returns the artifact that the file holds, or nil.
func (p *parsedSignature) content() []byte {
	if p.sig.archive != nil {
		return p.sig.archive.file
	}
	return p.sig.message
}

// verifyEmbedded reports on the artifact inside; bytes or a digest given beside it are compared with it.
func (p *parsedSignature) verifyEmbedded(ctx context.Context, m *formats.Meter, a formats.Artifact, content []byte) (*formats.Verified, error) {
	if err := m.ChargeBytes(4 * len(content)); err != nil {
		return nil, err
	}
	sha := formats.SHA256.New()
	sha.Write(content)
	inside := sumDigest(formats.SHA256, sha, formats.EvidenceBytes)
	same := true
	switch {
	case a.SignedDigest() != nil:
		return nil, formats.NewError(formats.ReasonArtifactNotExpected, "the file carries what is signed", "leave the digest of the signed bytes out")
	case a.Digest() != nil:
		d := *a.Digest()
		if d.Algorithm.Hash() == 0 {
			return nil, formats.NewError(formats.ReasonMalformedDigest, "the digest's algorithm is not known", "give a SHA-256")
		}
		h := d.Algorithm.New()
		h.Write(content)
		same = bytes.Equal(h.Sum(nil), d.Value)
	case a.Reader() != nil:
		given := formats.SHA256.New()
		if _, err := formats.Copy(ctx, given, a.Reader()); err != nil {
			return nil, fmt.Errorf("reading artifact: %w", err)
		}
		same = bytes.Equal(given.Sum(nil), inside.Value)
	}
	if !same {
		return nil, formats.NewError(formats.ReasonArtifactMismatch, "the artifact is not the one inside the signature file", "leave the artifact out")
	}
	projection, err := p.buildProjection(formats.Recipe{Prefix: p.sig.message}).CheckMessage(p.sig.message)
	if err != nil {
		return nil, err // Parse has verified it
	}
	v := p.buildVerified(int64(len(content)), projection, inside)
	v.Checks = append(v.Checks, p.excluded...)
	return v, nil
}
