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
func (p *parsed) verifyAttached(ctx context.Context, a formats.Artifact) (*formats.Verified, error) {
	s := p.signers[0]
	signed := p.signedContent(s.inside.crlf)
	v := p.buildVerified(s, *s.inside, formats.Recipe{Prefix: signed})
	switch {
	case a.Reader() != nil:
		return p.compareBytes(ctx, v, a.Reader(), signed)
	case a.Digest() != nil:
		return s.compareDigest(v, *a.Digest(), signed)
	}
	s.describeContent(v, signed)
	return v, nil
}

// signedContent returns the content in the form that was signed.
func (p *parsed) signedContent(crlf bool) []byte {
	if !crlf {
		return p.content
	}
	out, _ := io.ReadAll(formats.Recipe{Artifact: true, CRLF: true}.Reader(bytes.NewReader(p.content))) // memory does not fail
	return out
}

func digestOf(h crypto.Hash, b []byte) []byte {
	sum := h.New()
	sum.Write(b)
	return sum.Sum(nil)
}

// statedHash is the signature's hash, or SHA-256 where that one is too weak to be stated.
func (s *signer) statedHash() crypto.Hash {
	if _, ok := formats.AlgorithmOf(s.scheme.hash); ok {
		return s.scheme.hash
	}
	return crypto.SHA256
}

// describeContent states the digests of the content inside.
func (s *signer) describeContent(v *formats.Verified, content []byte) {
	v.Size = int64(len(content))
	v.Digests = []formats.ArtifactDigest{stateDigest(formats.SHA256, digestOf(crypto.SHA256, content))}
	if h := s.statedHash(); h != crypto.SHA256 {
		a, _ := formats.AlgorithmOf(h)
		v.Digests = append(v.Digests, stateDigest(a, digestOf(h, content)))
	}
}

// compareDigest checks any digest of the content. What is stated is the same as without one, so that whoever verifies
// without the artifact finds all of it inside.
func (s *signer) compareDigest(v *formats.Verified, d formats.Digest, content []byte) (*formats.Verified, error) {
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

// compareBytes compares by SHA-256, which is computed whatever the signature is over.
func (p *parsed) compareBytes(ctx context.Context, v *formats.Verified, r io.Reader, content []byte) (*formats.Verified, error) {
	h := p.signers[0].statedHash()
	forms, size, err := p.readArtifact(ctx, r, crypto.SHA256, h)
	if err != nil {
		return nil, err
	}
	want := digestOf(crypto.SHA256, content)
	for _, f := range forms {
		if got := f.digests[crypto.SHA256]; !bytes.Equal(got, want) && !isText(content, got) {
			continue
		}
		v.Size, v.Digests = size, forms[0].listDigests(h)
		if f.crlf {
			v.Checks = append(v.Checks, crlfLineEnds)
		}
		return v, nil
	}
	return nil, formats.NewError(formats.ReasonArtifactMismatch, "the artifact is not the content in the signature",
		"leave the artifact out: the signature carries its content")
}

// isText reports whether content is the text header and then what has that SHA-256 digest.
func isText(content, digest []byte) bool {
	text, ok := bytes.CutPrefix(content, textHeader)
	return ok && bytes.Equal(digest, digestOf(crypto.SHA256, text))
}
