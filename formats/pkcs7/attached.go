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
	v := s.buildVerified(s.digest, formats.Recipe{Prefix: signed})
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

// describeContent states the digests of the content inside.
func (s *parsed) describeContent(v *formats.Verified, content []byte) {
	v.Size = int64(len(content))
	v.Digests = []formats.ArtifactDigest{stateDigest(formats.SHA256, digestOf(crypto.SHA256, content))}
	if a, ok := formats.AlgorithmOf(s.scheme.hash); ok && a != formats.SHA256 {
		v.Digests = append(v.Digests, stateDigest(a, digestOf(s.scheme.hash, content)))
	}
}

func (s *parsed) compareDigest(v *formats.Verified, d formats.Digest, content []byte) (*formats.Verified, error) {
	h := d.Algorithm.Hash()
	if h == 0 || !bytes.Equal(digestOf(h, content), d.Value) {
		return nil, formats.NewError(formats.ReasonArtifactMismatch, "the content in the signature has another digest",
			"leave the digest out: the signature carries its content")
	}
	s.describeContent(v, content)
	if a, _ := formats.AlgorithmOf(s.scheme.hash); d.Algorithm != a && d.Algorithm != formats.SHA256 {
		v.Digests = append(v.Digests, stateDigest(d.Algorithm, d.Value))
	}
	return v, nil
}

// textHeader is what "openssl smime -text" puts before a text.
var textHeader = []byte("Content-Type: text/plain\r\n\r\n")

func (s *parsed) compareBytes(ctx context.Context, v *formats.Verified, r io.Reader, content []byte) (*formats.Verified, error) {
	p, err := readArtifact(ctx, r, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	candidates, err := p.hasher.computeCandidates()
	if err != nil {
		return nil, err
	}
	for _, c := range candidates {
		if !bytes.Equal(c.digest, digestOf(crypto.SHA256, content)) && !isText(content, c.digest) {
			continue
		}
		v.Size, v.Digests = p.size, p.listDigests(crypto.SHA256)
		if c.crlf {
			v.Checks = append(v.Checks, crlfLineEnds)
		}
		return v, nil
	}
	return nil, formats.NewError(formats.ReasonArtifactMismatch, "the artifact is not the content in the signature",
		"leave the artifact out: the signature carries its content")
}

// isText reports whether content is the text header and then what has the SHA-256 digest.
func isText(content, digest []byte) bool {
	text, ok := bytes.CutPrefix(content, textHeader)
	return ok && bytes.Equal(digest, digestOf(crypto.SHA256, text))
}
