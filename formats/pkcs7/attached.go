// SPDX-License-Identifier: Apache-2.0

package pkcs7

import (
	"bytes"
	"context"
	"crypto"
	"io"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// verifyAttached reports on the content inside, or on bytes given beside it that are the same
// but for line ends and the header that "openssl smime -text" puts before a text.
func (p *parsed) verifyAttached(ctx context.Context, a formats.Artifact) (*formats.Verified, error) {
	signed := p.signedContent()
	given, err := p.compareContent(ctx, a, signed)
	if err != nil {
		return nil, err
	}
	var parts []*formats.Verified
	for _, s := range p.signers {
		v := p.buildVerified(s, *s.inside, formats.Recipe{Prefix: signed})
		v.Size, v.Digests = given.size, given.digests
		if given.crlf {
			v.Checks = append(v.Checks, crlfLineEnds)
		}
		parts = append(parts, v)
	}
	return formats.CombineVerified(parts, slices.Clone(p.keys)), nil
}

// compared is the artifact of an attached signature, as it was given or else as it is inside.
type compared struct {
	size    int64
	digests []formats.ArtifactDigest
	crlf    bool
}

func (p *parsed) compareContent(ctx context.Context, a formats.Artifact, content []byte) (compared, error) {
	switch {
	case a.Reader() != nil:
		return p.compareBytes(ctx, a.Reader(), content)
	case a.Digest() != nil:
		return p.compareDigest(*a.Digest(), content)
	}
	return p.describeContent(content), nil
}

// signedContent returns the content in the form that was signed, which is the same for all signers.
func (p *parsed) signedContent() []byte {
	if !p.signers[0].inside.crlf {
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

// describeContent states the digests of the content inside.
func (p *parsed) describeContent(content []byte) compared {
	r := reading{digests: map[crypto.Hash][]byte{}}
	for _, h := range append(p.listHashes(), crypto.SHA256) {
		r.digests[h] = digestOf(h, content)
	}
	return compared{size: int64(len(content)), digests: r.listDigests(p.listHashes())}
}

// compareDigest checks any digest of the content. What is stated is the same as without one, so that whoever verifies
// without the artifact finds all of it inside.
func (p *parsed) compareDigest(d formats.Digest, content []byte) (compared, error) {
	h := d.Algorithm.Hash()
	if h == 0 || !bytes.Equal(digestOf(h, content), d.Value) {
		return compared{}, formats.NewError(formats.ReasonArtifactMismatch, "the content in the signature has another digest",
			"leave the digest out: the signature carries its content")
	}
	return p.describeContent(content), nil
}

// textHeader is what "openssl smime -text" puts before a text.
var textHeader = []byte("Content-Type: text/plain\r\n\r\n")

// compareBytes compares by SHA-256, which is computed whatever the signatures are over.
func (p *parsed) compareBytes(ctx context.Context, r io.Reader, content []byte) (compared, error) {
	forms, size, err := p.readArtifact(ctx, r, crypto.SHA256)
	if err != nil {
		return compared{}, err
	}
	want := digestOf(crypto.SHA256, content)
	for _, f := range forms {
		if got := f.digests[crypto.SHA256]; bytes.Equal(got, want) || isText(content, got) {
			return compared{size: size, digests: forms[0].listDigests(p.listHashes()), crlf: f.crlf}, nil
		}
	}
	return compared{}, formats.NewError(formats.ReasonArtifactMismatch, "the artifact is not the content in the signature",
		"leave the artifact out: the signature carries its content")
}

// isText reports whether content is the text header and then what has that SHA-256 digest.
func isText(content, digest []byte) bool {
	text, ok := bytes.CutPrefix(content, textHeader)
	return ok && bytes.Equal(digest, digestOf(crypto.SHA256, text))
}
