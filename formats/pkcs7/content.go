// SPDX-License-Identifier: Apache-2.0

package pkcs7

import (
	"bufio"
	"bytes"
	"crypto"
	"hash"
	"io"

	"github.com/pjbgf/sha1cd"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/ed25519stream"
	"github.com/rekor-gateway/rekor-gateway/formats/foreign"
)

// newHash is h.New but for SHA-1, which comes with collision detection.
func newHash(h crypto.Hash) hash.Hash {
	if h == crypto.SHA1 {
		return sha1cd.New()
	}
	return h.New()
}

// sumHash returns the digest, and an error with ReasonWeakAlgorithm for what was made for a SHA-1 collision.
func sumHash(h hash.Hash) ([]byte, error) {
	c, ok := h.(sha1cd.CollisionResistantHash)
	if !ok {
		return h.Sum(nil), nil
	}
	digest, collision := c.CollisionResistantSum(nil)
	if collision {
		return nil, formats.NewError(formats.ReasonWeakAlgorithm, "the content was made for a SHA-1 collision", "do not trust this signature: the content was made to deceive")
	}
	return digest, nil
}

// contentHasher takes a content once, for all signers: as it is, and with line ends as CRLF unless it has NUL bytes.
type contentHasher struct {
	plain form
	text  crlfWriter
}

// form is one form of a content: one hash per digest algorithm, and one verifier per signer who signs the
// bytes themselves.
type form struct {
	hashes  map[crypto.Hash]hash.Hash
	pure    map[*signer]*ed25519stream.Verifier
	foreign foreign.Sniffer
	all     io.Writer
}

// newContentHasher prepares for what signers need, and for the hashes in also.
func newContentHasher(signers []*signer, also ...crypto.Hash) (*contentHasher, error) {
	h := &contentHasher{}
	for _, f := range []*form{&h.plain, &h.text.form} {
		if err := f.prepare(signers, also); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func (f *form) prepare(signers []*signer, also []crypto.Hash) error {
	f.hashes, f.pure = map[crypto.Hash]hash.Hash{}, map[*signer]*ed25519stream.Verifier{}
	writers := []io.Writer{&f.foreign}
	addHash := func(h crypto.Hash) {
		if f.hashes[h] == nil {
			f.hashes[h] = newHash(h)
			writers = append(writers, f.hashes[h])
		}
	}
	for _, h := range also {
		addHash(h)
	}
	for _, s := range signers {
		addHash(s.scheme.hash)
		if !s.signsContent() {
			continue
		}
		addHash(crypto.SHA256)
		v, err := s.startVerifier()
		if err != nil {
			return err
		}
		f.pure[s] = v
		writers = append(writers, v)
	}
	f.all = io.MultiWriter(writers...)
	return nil
}

// countPasses returns how often each byte of the content is hashed.
func (h *contentHasher) countPasses() int { return 2 * (len(h.plain.hashes) + len(h.plain.pure)) }

// Write never fails.
func (h *contentHasher) Write(b []byte) (int, error) {
	_, _ = h.plain.all.Write(b)
	_, _ = h.text.Write(b)
	return len(b), nil
}

// crlfWriter passes text on with line ends as CRLF, and gives up at the first NUL byte.
type crlfWriter struct {
	form
	out     *bufio.Writer // nil until there is text
	lastCR  bool
	changed bool // a line end was not CRLF
	binary  bool
}

// Write never fails.
func (c *crlfWriter) Write(b []byte) (int, error) {
	n := len(b)
	if c.binary = c.binary || bytes.IndexByte(b, 0) >= 0; c.binary {
		return n, nil
	}
	if c.out == nil {
		c.out = bufio.NewWriter(c.all)
	}
	for len(b) > 0 {
		line := b
		i := bytes.IndexByte(b, '\n')
		if i >= 0 {
			line = b[:i]
		}
		_, _ = c.out.Write(line)
		if len(line) > 0 {
			c.lastCR = line[len(line)-1] == '\r'
		}
		if i < 0 {
			break
		}
		c.endLine()
		b = b[i+1:]
	}
	return n, nil
}

func (c *crlfWriter) endLine() {
	if !c.lastCR {
		_ = c.out.WriteByte('\r')
		c.changed = true
	}
	_ = c.out.WriteByte('\n')
	c.lastCR = false
}

// reading is a form of a content that has been read.
type reading struct {
	digests  map[crypto.Hash][]byte
	pure     map[*signer]*ed25519stream.Verifier
	crlf     bool
	foreign  error    // it is what another protocol signs
	excluded []string // else: the checks that say so
}

// finish returns the content as it is and, for text with other line ends, with CRLF.
func (h *contentHasher) finish() ([]reading, error) {
	first, err := h.plain.finish()
	if err != nil {
		return nil, err
	}
	if h.text.binary || !h.text.changed {
		return []reading{first}, nil
	}
	_ = h.text.out.Flush() // hashes do not fail
	second, err := h.text.finish()
	if err != nil {
		return nil, err
	}
	second.crlf = true
	return []reading{first, second}, nil
}

func (f *form) finish() (reading, error) {
	r := reading{digests: map[crypto.Hash][]byte{}, pure: f.pure}
	for h, sum := range f.hashes {
		var err error
		if r.digests[h], err = sumHash(sum); err != nil {
			return reading{}, err
		}
	}
	r.excluded, r.foreign = f.foreign.Finish()
	return r, nil
}
