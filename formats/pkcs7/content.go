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
		return nil, formats.NewError(formats.ReasonWeakAlgorithm, "the content was made for a SHA-1 collision", hintAlgorithm)
	}
	return digest, nil
}

// hasher hashes one reading of a content: as it is, and with line ends as CRLF unless it has NUL bytes.
type hasher struct {
	plain   hash.Hash
	foreign foreign.Sniffer
	text    crlfHasher
}

func newHasher(h crypto.Hash) *hasher {
	p := &hasher{plain: newHash(h)}
	p.text.hash = newHash(h)
	p.text.out = bufio.NewWriter(io.MultiWriter(p.text.hash, &p.text.foreign))
	return p
}

// Write never fails.
func (p *hasher) Write(b []byte) (int, error) {
	for _, w := range []io.Writer{p.plain, &p.foreign, &p.text} {
		_, _ = w.Write(b)
	}
	return len(b), nil
}

// crlfHasher hashes text with line ends as CRLF, and gives up at the first NUL byte.
type crlfHasher struct {
	hash    hash.Hash
	foreign foreign.Sniffer
	out     *bufio.Writer
	lastCR  bool
	changed bool // a line end was not CRLF
	binary  bool
}

// Write never fails.
func (c *crlfHasher) Write(b []byte) (int, error) {
	n := len(b)
	if c.binary = c.binary || bytes.IndexByte(b, 0) >= 0; c.binary {
		return n, nil
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

func (c *crlfHasher) endLine() {
	if !c.lastCR {
		_ = c.out.WriteByte('\r')
		c.changed = true
	}
	_ = c.out.WriteByte('\n')
	c.lastCR = false
}

// candidate is a digest that the content may have been signed by.
type candidate struct {
	digest   []byte
	crlf     bool
	foreign  error    // it is what another protocol signs
	excluded []string // else: the checks that say so
}

// computeCandidates returns the content's digest and, for text with other line ends, that of its CRLF form.
func (p *hasher) computeCandidates() ([]candidate, error) {
	digest, err := sumHash(p.plain)
	if err != nil {
		return nil, err
	}
	first := candidate{digest: digest}
	first.excluded, first.foreign = p.foreign.Finish()
	out := []candidate{first}
	if p.text.binary || !p.text.changed {
		return out, nil
	}
	_ = p.text.out.Flush() // hashes do not fail
	if digest, err = sumHash(p.text.hash); err != nil {
		return nil, err
	}
	second := candidate{digest: digest, crlf: true}
	second.excluded, second.foreign = p.text.foreign.Finish()
	return append(out, second), nil
}
