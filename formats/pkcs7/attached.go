// SPDX-License-Identifier: Apache-2.0

package pkcs7

import (
	"bytes"
	"context"
	"crypto"
	"io"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// verifyAttached reports on the content inside, or on bytes given beside it that are the same
// but for line ends and the header that "openssl smime -text" puts before a text.
func (s *parsed) verifyAttached(ctx context.Context, a formats.Artifact) (*formats.Verified, error) {
	signed := s.signedContent()
	v := s.buildVerified(s.digest, formats.Recipe{Prefix: signed}, s.excluded)
	switch {
	case a.Reader() != nil:
		return s.compareBytes(ctx, v, a.Reader(), signed)
	case a.Digest() != nil:
		return s.compareDigest(v, *a.Digest(), signed)
	}
	s.describeContent(v, signed)
	return v, nil
}

// signedContent returns the content in the form that was signed.
func (s *parsed) signedContent() []byte {
	if !s.crlf {
		return s.content
	}
	out, _ := io.ReadAll(formats.Recipe{Artifact: true, CRLF: true}.Reader(bytes.NewReader(s.content))) // memory does not fail
	return out
}

func digestOf(h crypto.Hash, b []byte) []byte {
	sum := h.New()
	sum.Write(b)
	return sum.Sum(nil)
}

// statedHash is the signature's hash, or SHA-256 where that one is too weak to be stated.
func (s *parsed) statedHash() crypto.Hash {
	if _, ok := formats.AlgorithmOf(s.scheme.hash); ok {
		return s.scheme.hash
	}
	return crypto.SHA256
}

// describeContent states the digests of the content inside.
func (s *parsed) describeContent(v *formats.Verified, content []byte) {
	v.Size = int64(len(content))
	v.Digests = []formats.ArtifactDigest{stateDigest(formats.SHA256, digestOf(crypto.SHA256, content))}
	if h := s.statedHash(); h != crypto.SHA256 {
		a, _ := formats.AlgorithmOf(h)
		v.Digests = append(v.Digests, stateDigest(a, digestOf(h, content)))
	}
}

// compareDigest checks any digest of the content. What is stated is the same as without one, so that whoever verifies
// without the artifact finds all of it inside.
func (s *parsed) compareDigest(v *formats.Verified, d formats.Digest, content []byte) (*formats.Verified, error) {
	h := d.Algorithm.Hash()
	if h == 0 || !bytes.Equal(digestOf(h, content), d.Value) {
		return nil, formats.NewError(formats.ReasonArtifactMismatch, "the content in the signature has another digest",
			"leave the digest out: the signature carries its content")
	}
	s.describeContent(v, content)
	return v, nil
}

// textHeader is what "openssl smime -text" puts before a text.
var textHeader = []byte("Content-Type: text/plain\r\n\r\n")

func (s *parsed) compareBytes(ctx context.Context, v *formats.Verified, r io.Reader, content []byte) (*formats.Verified, error) {
	h := s.statedHash()
	p, err := readArtifact(ctx, r, h)
	if err != nil {
		return nil, err
	}
	candidates, err := p.hasher.computeCandidates()
	if err != nil {
		return nil, err
	}
	for _, c := range candidates {
		if !bytes.Equal(c.digest, digestOf(h, content)) && !isText(h, content, c.digest) {
			continue
		}
		v.Size, v.Digests = p.size, p.listDigests(h)
		if c.crlf {
			v.Checks = append(v.Checks, crlfLineEnds)
		}
		return v, nil
	}
	return nil, formats.NewError(formats.ReasonArtifactMismatch, "the artifact is not the content in the signature",
		"leave the artifact out: the signature carries its content")
}

// isText reports whether content is the text header and then what has that digest.
func isText(h crypto.Hash, content, digest []byte) bool {
	text, ok := bytes.CutPrefix(content, textHeader)
	return ok && bytes.Equal(digest, digestOf(h, text))
}
