// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"

	"github.com/pjbgf/sha1cd"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// hashing is one pass over the artifact for all signatures of a file. Signatures that hash it alike share a hash, and so does
// SHA-256 of the artifact itself with those that start with it.
type hashing struct {
	parts  []*parsed
	keys   []hashKey
	states map[hashKey]hash.Hash
	plain  hash.Hash
	binary []io.Writer // take the artifact as it is
	text   []io.Writer // take it with CRLF line ends
}

// idSHA256 is SHA-256 in RFC 9580 section 9.5.
const idSHA256 = 8

// hashKey is what makes signatures hash alike up to the end of the artifact.
type hashKey struct {
	hashID byte
	text   bool
	salt   string
	own    int // tells apart those whose hash cannot be cloned
}

func newHashing(parts []*parsed) (*hashing, error) {
	h := &hashing{parts: parts, states: map[hashKey]hash.Hash{}}
	for i, p := range parts {
		key := hashKey{hashID: p.sig.hashID, text: p.sig.kind == kindText, salt: string(p.sig.salt)}
		state := p.newHash()
		if _, ok := state.(hash.Cloner); !ok {
			key.own = i
		}
		h.keys = append(h.keys, key)
		if h.states[key] != nil {
			continue
		}
		state.Write(p.sig.salt)
		h.states[key] = state
		if key.text {
			h.text = append(h.text, state)
		} else {
			h.binary = append(h.binary, state)
		}
		if key == (hashKey{hashID: idSHA256}) {
			h.plain = state
		}
	}
	if len(h.states) > formats.MaxHashes {
		return nil, formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("the signatures need %d different hashes of the artifact, and at most %d are made",
			len(h.states), formats.MaxHashes), hintSplit)
	}
	if h.plain == nil {
		h.plain = sha256.New()
		h.binary = append(h.binary, h.plain)
	}
	return h, nil
}

// readArtifact hashes the artifact and returns its size.
func (h *hashing) readArtifact(ctx context.Context, artifact io.Reader) (int64, error) {
	binary := io.MultiWriter(h.binary...)
	if len(h.binary) == 1 {
		binary = h.binary[0]
	}
	if len(h.text) == 0 {
		return formats.Copy(ctx, binary, artifact)
	}
	counted := &counter{Reader: artifact}
	body := formats.Recipe{Artifact: true, CRLF: true}.Reader(io.TeeReader(counted, binary))
	_, err := formats.Copy(ctx, io.MultiWriter(h.text...), body)
	return counted.n, err
}

// sumFor returns the digest that the signature at i is over. It leaves the hash to those who share it.
func (h *hashing) sumFor(i int) ([]byte, error) {
	state := h.states[h.keys[i]]
	if c, ok := state.(hash.Cloner); ok {
		clone, err := c.Clone()
		if err != nil {
			return nil, fmt.Errorf("cloning hash: %w", err)
		}
		state = clone
	}
	state.Write(h.parts[i].sig.trailer)
	return sumHash(state)
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

func (p *parsed) newHash() hash.Hash {
	if p.historicalHash() {
		return sha1cd.New()
	}
	return p.sig.hash.New()
}

func (p *parsed) historicalHash() bool { return p.sig.hash.Size() == sha1cd.Size }

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
