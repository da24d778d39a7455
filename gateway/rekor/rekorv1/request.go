// SPDX-License-Identifier: Apache-2.0

package rekorv1

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekord"
)

// entryRequest is what the log is sent for an entry. It is opened again where a connection has lost it.
type entryRequest struct {
	size  int64
	whole bool // with the artifact in it
	open  func(context.Context) io.Reader
}

// newRequest returns the request for an entry: its body or, of a rekord, that with the artifact in it, which is read while it is sent. The error is
// gateway.ErrUnreadable where the artifact is not there.
func newRequest(ctx context.Context, blobs gateway.Blobs, p gateway.Prepared) (entryRequest, error) {
	if p.Kind != rekord.Kind {
		return entryRequest{size: int64(len(p.Body)), open: func(context.Context) io.Reader { return bytes.NewReader(p.Body) }}, nil
	}
	if blobs == nil {
		return entryRequest{}, fmt.Errorf("%w: artifacts are not sent to this log any more", gateway.ErrNotSent)
	}
	record, err := rekord.Parse(p.Body)
	if err != nil {
		return entryRequest{}, fmt.Errorf("%w: %w", gateway.ErrRefused, err)
	}
	blob, err := blobs.BlobOf(ctx, p.LeafHash)
	switch {
	case errors.Is(err, gateway.ErrBlobGone):
		return entryRequest{}, fmt.Errorf("%w: %w", gateway.ErrUnreadable, err)
	case err != nil:
		return entryRequest{}, fmt.Errorf("%w: %w", gateway.ErrNotSent, err)
	case blob.SHA256 != record.Digest:
		return entryRequest{}, fmt.Errorf("%w: the artifact is another one than the entry's", gateway.ErrUnreadable)
	}
	q := rekord.NewRequest(p.Body)
	return entryRequest{
		size:  int64(len(q.Head)+len(q.Tail)) + (blob.Size+2)/3*4,
		whole: true,
		open: func(ctx context.Context) io.Reader {
			return io.MultiReader(bytes.NewReader(q.Head), &encoder{src: gateway.NewBlobReader(ctx, blobs, blob)}, bytes.NewReader(q.Tail))
		},
	}, nil
}

// encoder reads its source in standard base64.
type encoder struct {
	src  io.Reader
	raw  [3 << 12]byte
	text [4 << 12]byte
	now  []byte // of text: what is not read yet
	err  error  // of src, once now is read
}

// Read implements io.Reader.
func (e *encoder) Read(p []byte) (int, error) {
	if len(e.now) == 0 && e.err == nil {
		var n int
		n, e.err = io.ReadFull(e.src, e.raw[:])
		if errors.Is(e.err, io.ErrUnexpectedEOF) {
			e.err = io.EOF
		}
		base64.StdEncoding.Encode(e.text[:], e.raw[:n])
		e.now = e.text[:base64.StdEncoding.EncodedLen(n)]
	}
	if len(e.now) == 0 {
		return 0, e.err
	}
	n := copy(p, e.now)
	e.now = e.now[n:]
	return n, nil
}
