// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/google/uuid"
)

const (
	// BlobPart is how many bytes a part of a blob has, but for the last one, which may have fewer.
	BlobPart = 256 << 10
	// BlobGrace is how long a blob is kept to which nothing is added, and with which nothing was enqueued.
	BlobGrace = time.Hour
)

// BlobID names a blob: a UUIDv7.
type BlobID [16]byte

// Blob is an artifact that is spooled in a store, whole and durable.
type Blob struct {
	ID     BlobID
	Size   int64 // bytes
	SHA256 [sha256.Size]byte
}

// Parts returns how many parts the blob has.
func (b Blob) Parts() int { return int((b.Size + BlobPart - 1) / BlobPart) }

// ErrBlobGone: there is no such blob, or not any more, or it is not as it should be.
var ErrBlobGone = errors.New("the spooled artifact is not there")

// BlobStore is the side of a Store that keeps artifacts until they are sent, in parts, so that nobody holds one in memory. All processes
// that share the store see them. What was enqueued counts in the bound on bytes of the queue, in doubt included.
// What is open keeps nobody from enqueuing: together it may take half as much, and one no more than it leaves of that, a quarter at most.
//
// A blob is open while parts are appended, and nobody's yet: DropBlob removes it, and SweepBlobs does once nothing was
// appended for BlobGrace, as after a crash, and a store of one process when it is opened. By an Enqueue of an entry with it (NewEntry.Blob) it is kept while an entry with that leaf hash
// is Pending, in whatever log, unless there was another one for it before. Where the submission is known, that is so of what is stored of it, whose leaf
// may be another one. What no such entry needs any more, and what Enqueue has refused, is SweepBlobs' to remove.
type BlobStore interface {
	// AppendBlob stores the next part of an open blob, of BlobPart bytes, or fewer, at least one, if it is the last. Part 0 begins the blob. It is
	// durable when the error is nil. Errors: ErrQueueFull where there is no room, ErrBlobGone where the part is not the next one of an open blob.
	AppendBlob(ctx context.Context, id BlobID, part int, data []byte) error

	Blobs

	// DropBlob has a blob removed, unless something was enqueued with it. It is no error that it is not there.
	DropBlob(ctx context.Context, id BlobID) error

	// SweepBlobs removes a bounded amount of what nobody needs any more. The caller calls again while there is More. Who calls it at the same
	// time, in whatever process, does not disturb.
	SweepBlobs(ctx context.Context) (SweptBlobs, error)
}

// Blobs is the side of a BlobStore where artifacts are read.
type Blobs interface {
	// BlobPart returns one part of a blob, the caller's own. The error is ErrBlobGone where it is not there.
	BlobPart(ctx context.Context, id BlobID, part int) ([]byte, error)

	// BlobOf returns the blob with which entries of that leaf hash are sent. The error is ErrBlobGone where there is none.
	BlobOf(ctx context.Context, leaf LeafHash) (Blob, error)
}

// SweptBlobs is what SweepBlobs did, and what is there then.
type SweptBlobs struct {
	Removed int   // blobs
	More    bool  // there is more to remove now
	Blobs   int   // that are there, those under way of being removed included
	Bytes   int64 // of these
}

// BlobWriter spools what is written to it, in one pass. It is used by one goroutine, and ended by Finish or Drop.
type BlobWriter struct {
	ctx   context.Context //nolint:containedctx // a writer lives as long as one request
	store BlobStore
	max   int64
	blob  Blob
	part  int
	held  []byte // of the part that is not stored yet
	sum   hash.Hash
	err   error
}

// ErrBlobTooLarge: more was written to a BlobWriter than it takes.
var ErrBlobTooLarge = errors.New("artifact is too large to be spooled")

// NewBlobWriter returns a writer of a new blob of at most max bytes. It holds up to BlobPart bytes in memory.
func NewBlobWriter(ctx context.Context, store BlobStore, max int64) (*BlobWriter, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("naming a blob: %w", err)
	}
	return &BlobWriter{ctx: ctx, store: store, max: max, blob: Blob{ID: BlobID(id)}, sum: sha256.New()}, nil
}

// Write implements io.Writer. The error is ErrBlobTooLarge, or AppendBlob's, and stays.
func (w *BlobWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 && w.err == nil {
		if w.blob.Size+int64(len(w.held)+len(p)) > w.max {
			w.err = fmt.Errorf("%w: over %d bytes", ErrBlobTooLarge, w.max)
			break
		}
		if w.held == nil {
			w.held = make([]byte, 0, BlobPart)
		}
		k := min(len(p), BlobPart-len(w.held))
		w.held, p = append(w.held, p[:k]...), p[k:]
		if n += k; len(w.held) == BlobPart {
			w.err = w.storePart()
		}
	}
	return n, w.err
}

func (w *BlobWriter) storePart() error {
	if err := w.store.AppendBlob(w.ctx, w.blob.ID, w.part, w.held); err != nil {
		return fmt.Errorf("spooling the artifact: %w", err)
	}
	w.sum.Write(w.held)
	w.blob.Size += int64(len(w.held))
	w.part++
	w.held = w.held[:0]
	return nil
}

// Finish returns the blob, which is durable then. Of what is empty no blob can be made: the error is ErrBlobGone.
func (w *BlobWriter) Finish() (Blob, error) {
	if w.err == nil && len(w.held) > 0 {
		w.err = w.storePart()
	}
	if w.err == nil && w.blob.Size == 0 {
		w.err = fmt.Errorf("%w: it is empty", ErrBlobGone)
	}
	if w.err != nil {
		return Blob{}, w.err
	}
	w.sum.Sum(w.blob.SHA256[:0])
	w.err, w.held = errors.New("the blob is finished"), nil
	return w.blob, nil
}

// Drop removes what was written, also after Finish, also when the context of the writer has ended. A crash before leaves it to SweepBlobs.
func (w *BlobWriter) Drop() error {
	if w.part == 0 {
		return nil
	}
	return w.store.DropBlob(context.WithoutCancel(w.ctx), w.blob.ID)
}

// BlobReader reads a blob, one part after the other. It is used by one goroutine.
type BlobReader struct {
	ctx   context.Context //nolint:containedctx // a reader lives as long as one request
	store Blobs
	blob  Blob
	part  int
	now   bytes.Reader // the part that is read
	left  int64
	sum   hash.Hash
}

// NewBlobReader returns a reader of all of b. The last bytes are given out only when all are those that were spooled: its error is ErrBlobGone else.
func NewBlobReader(ctx context.Context, store Blobs, b Blob) *BlobReader {
	return &BlobReader{ctx: ctx, store: store, blob: b, left: b.Size, sum: sha256.New()}
}

// Read implements io.Reader.
func (r *BlobReader) Read(p []byte) (int, error) {
	if r.now.Len() == 0 {
		if r.left == 0 {
			return 0, io.EOF
		}
		if err := r.nextPart(); err != nil {
			return 0, err
		}
	}
	return r.now.Read(p)
}

func (r *BlobReader) nextPart() error {
	data, err := r.store.BlobPart(r.ctx, r.blob.ID, r.part)
	if err != nil {
		return fmt.Errorf("reading the spooled artifact: %w", err)
	}
	if int64(len(data)) != min(r.left, BlobPart) {
		return fmt.Errorf("%w: part %d has %d bytes", ErrBlobGone, r.part, len(data))
	}
	r.sum.Write(data)
	r.left -= int64(len(data))
	r.part++
	if r.left == 0 && [sha256.Size]byte(r.sum.Sum(nil)) != r.blob.SHA256 {
		return fmt.Errorf("%w: what is there has another digest", ErrBlobGone)
	}
	r.now.Reset(data)
	return nil
}

// LeastSendRate is how fast a log, and the line to it, take what they are sent at least, in bytes a second.
const LeastSendRate = 1 << 20

// SendTime returns how much longer than an entry of no size one may take of which so many bytes are sent.
func SendTime(size int64) time.Duration {
	return time.Duration(float64(size) / LeastSendRate * float64(time.Second))
}
