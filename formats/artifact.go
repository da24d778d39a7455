// SPDX-License-Identifier: Apache-2.0

package formats

import (
	"context"
	"io"
	"sync"
)

// Artifact is what a caller hands over of the thing that was signed: its bytes, a digest
// of it, the digest of the bytes the format really signs, or nothing (the zero value),
// which suits formats that carry the artifact within.
type Artifact struct {
	reader io.Reader
	digest *Digest
	signed *Digest
}

// FromReader is an artifact given as bytes; r is read once, to its end.
func FromReader(r io.Reader) Artifact { return Artifact{reader: r} }

// FromDigest is an artifact of which only its own digest is given.
func FromDigest(d Digest) Artifact { return Artifact{digest: &d} }

// FromSignedDigest is an artifact of which only the digest of the bytes that the format
// really signs is given (PGP: artifact and trailer): a projection made by the client.
func FromSignedDigest(d Digest) Artifact { return Artifact{signed: &d} }

// Reader returns the artifact's bytes, or nil when they were not given.
func (a Artifact) Reader() io.Reader { return a.reader }

// Digest returns the artifact's digest as the caller gave it, or nil.
func (a Artifact) Digest() *Digest { return a.digest }

// SignedDigest returns the digest of the signed bytes as the caller gave it, or nil.
func (a Artifact) SignedDigest() *Digest { return a.signed }

// IsZero reports whether nothing was given.
func (a Artifact) IsZero() bool { return a.reader == nil && a.digest == nil && a.signed == nil }

const copyBuffer = 32 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, copyBuffer); return &b }}

// Copy streams src into dst until EOF with a pooled buffer, checking ctx between reads.
// It returns the bytes copied and the first error of ctx, src or dst, as it is.
func Copy(ctx context.Context, dst io.Writer, src io.Reader) (int64, error) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	var total int64
	for {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		n, err := src.Read(*buf)
		if n > 0 {
			if _, werr := dst.Write((*buf)[:n]); werr != nil {
				return total, werr
			}
			total += int64(n)
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}
