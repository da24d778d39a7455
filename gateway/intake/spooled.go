// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// spooled is an artifact on its way into the store, while it is verified. One that is too large to be sent is verified all the same.
type spooled struct {
	writer   *gateway.BlobWriter // nil: the caller has spooled it
	blob     *gateway.Blob       // once it is whole
	tooLarge bool
}

// Write implements io.Writer.
func (s *spooled) Write(p []byte) (int, error) {
	if s.tooLarge {
		return len(p), nil
	}
	n, err := s.writer.Write(p)
	if errors.Is(err, gateway.ErrBlobTooLarge) {
		s.tooLarge = true
		return len(p), s.writer.Drop()
	}
	return n, err
}

// appendsAtOnce is how many parts of artifacts are stored at once, or wait for the store. Whoever uploads much waits among
// his like: small submissions, and what is on its way to a log, find one or two before them, and not hundreds.
const appendsAtOnce = 2

// storingBlobs is where artifacts are spooled, of which the committer learns whether the store takes what is written.
type storingBlobs struct {
	gateway.BlobStore
	commits *committer
	places  *semaphore.Weighted // appendsAtOnce; those who came first get them first
}

func newStoringBlobs(s gateway.BlobStore, c *committer) storingBlobs {
	return storingBlobs{s, c, semaphore.NewWeighted(appendsAtOnce)}
}

// AppendBlob implements gateway.BlobStore. The error is gateway.ErrNotStored, too, where the store fails, or has forgotten the blob.
// Those who come while the store fails fail with it, as those do who wait for a commit.
func (b storingBlobs) AppendBlob(ctx context.Context, id gateway.BlobID, part int, data []byte) error {
	began := time.Now()
	if err := b.places.Acquire(ctx, 1); err != nil {
		return err
	}
	defer b.places.Release(1)
	if b.commits.hasFailedSince(began) {
		return fmt.Errorf("%w: the store has failed meanwhile", gateway.ErrNotStored)
	}
	err := b.BlobStore.AppendBlob(ctx, id, part, data)
	switch {
	case err == nil:
		b.commits.noteStored()
	case errors.Is(err, gateway.ErrStoreUnavailable):
		b.commits.noteFailed()
		return fmt.Errorf("%w: %w", gateway.ErrNotStored, err)
	case errors.Is(err, gateway.ErrBlobGone): // as when another process has opened the store
		return fmt.Errorf("%w: %w", gateway.ErrNotStored, err)
	}
	return err
}

// spoolArtifact returns what reads src, and spools it where an entry would be sent with it. What that takes in memory is counted until the
// submission is stored.
func (d *Draft) spoolArtifact(ctx context.Context, src io.Reader) (io.Reader, error) {
	inlineMax := d.inlineMax()
	if inlineMax == 0 || d.service.cfg.Blobs == nil {
		return src, nil
	}
	if b := d.request.Spooled; b != nil {
		d.spooled = &spooled{blob: b}
		return src, nil
	}
	if err := d.held.Grow(gateway.BlobPart); err != nil {
		return nil, err
	}
	w, err := gateway.NewBlobWriter(ctx, d.service.cfg.Blobs, inlineMax)
	if err != nil {
		return nil, err
	}
	d.spooled = &spooled{writer: w}
	return io.TeeReader(src, d.spooled), nil
}

// inlineMax returns how large an artifact may be that an entry of the plan is sent with; 0: none is.
func (d *Draft) inlineMax() (largest int64) {
	for _, p := range d.plan.Each() {
		if p.Chosen != "" {
			largest = max(largest, p.Option(p.Chosen).MaxBytes)
		}
	}
	return largest
}

// makeWhole returns what a log is to record of a signature with the artifact, which is spooled then, whole, unless what is signed is in the signature.
func (d *Draft) makeWhole(plan gateway.Plan, v *formats.Verified) (*gateway.Whole, error) {
	whole := &gateway.Whole{Whole: *plan.Description.Whole, SPKI: v.Signers[0].SPKI, Size: v.Size}
	for _, g := range v.Digests {
		if g.Algorithm == formats.SHA256 && g.Evidence == formats.EvidenceBytes {
			copy(whole.SHA256[:], g.Value)
		}
	}
	if whole.Embedded {
		return whole, nil
	}
	s := d.spooled
	if s == nil || s.tooLarge { // by the bound of when it began
		return nil, errRulesChanged
	}
	if s.blob == nil {
		b, err := s.writer.Finish()
		if err != nil {
			return nil, err
		}
		s.blob = &b
	}
	if s.blob.Size != whole.Size || s.blob.SHA256 != whole.SHA256 {
		return nil, fmt.Errorf("spooled %d bytes with digest %x, and verified %d with %x", s.blob.Size, s.blob.SHA256, whole.Size, whole.SHA256)
	}
	return whole, nil
}

// blobOf returns what the entries of a choice are sent with, or nil.
func (d *Draft) blobOf(c choice) *gateway.Blob {
	if c.whole == nil || c.whole.Embedded {
		return nil
	}
	return d.spooled.blob
}

// dropSpooled removes what was spooled for a submission that is not stored. What it leaves behind, the store forgets after a while.
func (d *Draft) dropSpooled() {
	if d.spooled != nil && d.spooled.writer != nil && !d.spooled.tooLarge {
		_ = d.spooled.writer.Drop() // see above
	}
}
