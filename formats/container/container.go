// SPDX-License-Identifier: Apache-2.0

// Package container reads the file inside of a compressed one: release archives are often
// signed before they are compressed (kernel.org signs the .tar of a .tar.xz).
//
// It is strict and bounded: one stream, nothing after it, caps on size and ratio, and at most
// 64 MiB of dictionary for xz.
package container

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/therootcompany/xz"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Kind is a compression.
type Kind string

// The compressions: RFC 1952 and the .xz file format 1.1.
const (
	Gzip Kind = "gzip"
	XZ   Kind = "xz"
)

// Reasons of refusals.
const (
	ReasonUnknownContainer   formats.Reason = "UNKNOWN_CONTAINER"
	ReasonMalformedContainer formats.Reason = "MALFORMED_CONTAINER"
	ReasonContainerTooDense  formats.Reason = "CONTAINER_TOO_DENSE"
	// ReasonContainerTooSlow is given by those who read a container under a deadline.
	ReasonContainerTooSlow formats.Reason = "CONTAINER_TOO_SLOW"
)

// ParseKind reads "gzip" or "xz". Errors have ReasonUnknownContainer.
func ParseKind(s string) (Kind, error) {
	switch k := Kind(s); k {
	case Gzip, XZ:
		return k, nil
	}
	return "", formats.NewError(ReasonUnknownContainer, "this compression is not known", "use gzip or xz")
}

// Limits on what comes out.
const (
	dictionaryMax = 64 << 20 // what xz -9 uses
	ratioMax      = 250      // output per input byte, once ratioFrom bytes are out
	ratioFrom     = 16 << 20
)

// Reader gives the bytes inside of a container. It fails with a *formats.Error when the
// container is malformed, is followed by anything, or expands beyond its limits; its
// source's own errors come through as they are.
type Reader struct {
	source *source
	inner  io.Reader
	kind   Kind
	left   int64
	out    int64
	err    error
}

// NewReader reads the container src, which may hold at most max bytes.
func NewReader(k Kind, src io.Reader, max int64) *Reader {
	return &Reader{source: newSource(src), kind: k, left: max}
}

// Digest returns the SHA-256 of the whole container, once Read has returned io.EOF.
func (r *Reader) Digest() formats.Digest {
	return formats.Digest{Algorithm: formats.SHA256, Value: r.source.hash.Sum(nil)}
}

func (r *Reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if r.inner == nil {
		if r.err = r.openStream(); r.err != nil {
			return 0, r.err
		}
	}
	n, err := r.inner.Read(p)
	r.out, r.left = r.out+int64(n), r.left-int64(n)
	if err == nil {
		err = r.checkBounds()
	} else {
		err = r.checkEnd(err)
	}
	r.err = err
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	return n, err
}

func (r *Reader) openStream() error {
	var err error
	switch r.kind {
	case Gzip:
		var z *gzip.Reader
		if z, err = gzip.NewReader(r.source); err == nil {
			z.Multistream(false)
			r.inner = z
		}
	case XZ:
		var z *xz.Reader
		if z, err = xz.NewReader(r.source, dictionaryMax); err == nil {
			z.Multistream(false)
			r.inner = &xzReader{z}
		}
	}
	return r.classifyError(err)
}

func (r *Reader) checkBounds() error {
	if r.left < 0 {
		return formats.NewError(formats.ReasonTooLarge, "the file in the container is larger than this gateway takes",
			"decompress it, and let rekor-gateway submit send a digest of what is inside")
	}
	if r.out > ratioFrom && r.out > ratioMax*r.source.taken {
		return formats.NewError(ReasonContainerTooDense, "the container expands more than 250 times", "send the file itself")
	}
	return nil
}

// checkEnd decides what the end of the inner stream means.
func (r *Reader) checkEnd(err error) error {
	if !errors.Is(err, io.EOF) {
		return r.classifyError(err)
	}
	if err := r.checkBounds(); err != nil {
		return err
	}
	_, err = r.source.ReadByte()
	if err == nil || (r.kind == XZ && string(r.source.last[:]) != xzEnd) {
		return errTrailing
	}
	return err
}

// xzEnd is how every xz stream ends; stream padding, which its reader skips, does not.
const xzEnd = "YZ"

var errTrailing = formats.NewError(formats.ReasonTrailingData, "there are bytes after the compressed stream",
	"send the container as it was published")

// classifyError tells the container's errors from its source's.
func (r *Reader) classifyError(err error) error {
	switch {
	case err == nil:
		return nil
	case r.source.err != nil && !errors.Is(r.source.err, io.EOF):
		return r.source.err
	case formats.ReasonOf(err) != "":
		return err
	case errors.Is(err, xz.ErrMemlimit):
		return formats.WrapError(err, ReasonContainerTooDense, "the container needs more than 64 MiB of dictionary", "send the file itself")
	}
	return formats.WrapError(err, ReasonMalformedContainer, fmt.Sprintf("the container is not a whole %s file", r.kind), "send the file as it was published, and name its compression")
}

// source counts and hashes what is read, and remembers its own error. It hands out single
// bytes, so that no reader takes more than it needs.
type source struct {
	buffered *bufio.Reader
	hash     hash.Hash
	taken    int64
	last     [2]byte
	err      error
}

func newSource(src io.Reader) *source {
	s := &source{hash: sha256.New()}
	s.buffered = bufio.NewReaderSize(&counted{src, s}, 32<<10)
	return s
}

// counted is below the buffer: what it sees in order is the whole container.
type counted struct {
	src io.Reader
	to  *source
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.src.Read(p)
	c.to.hash.Write(p[:n])
	c.to.taken += int64(n)
	for _, b := range p[max(0, n-2):n] {
		c.to.last = [2]byte{c.to.last[1], b}
	}
	if err != nil {
		c.to.err = err
	}
	return n, err
}

func (s *source) Read(p []byte) (int, error) { return s.buffered.Read(p) }

func (s *source) ReadByte() (byte, error) { return s.buffered.ReadByte() }

// xzReader makes the end of an xz file strict: its reader may have taken more of the source than
// it needed, which only a further stream can show.
type xzReader struct{ *xz.Reader }

func (x *xzReader) Read(p []byte) (int, error) {
	n, err := x.Reader.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	if next := x.Reset(nil); !errors.Is(next, io.EOF) {
		return n, errTrailing
	}
	return n, io.EOF
}
