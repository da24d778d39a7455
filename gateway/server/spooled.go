// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// sweepPause is how often spooled artifacts that nobody needs any more are looked for.
const sweepPause = 5 * time.Second

// sweepBlobs removes spooled artifacts that nobody needs any more until ctx ends: of entries that are logged or have failed, and what a crash left.
func (s *Server) sweepBlobs(ctx context.Context, store gateway.BlobStore) {
	pause := time.NewTicker(sweepPause)
	defer pause.Stop()
	for {
		s.sweepOnce(ctx, store)
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
	}
}

func (s *Server) sweepOnce(ctx context.Context, store gateway.BlobStore) {
	for more := true; more; {
		swept, err := store.SweepBlobs(ctx)
		if err != nil {
			if ctx.Err() == nil {
				s.logger.Warn("spooled artifacts are not removed", "error", err)
			}
			return
		}
		s.metrics.store.noteBlobs(swept)
		more = swept.More
	}
}

// diskBlobs stores no more of artifacts while the disk is low: an upload that had begun before does not fill it.
type diskBlobs struct {
	gateway.BlobStore
	disk *diskGuard
}

// AppendBlob implements gateway.BlobStore. The error may be gateway.ErrDiskLow, too.
func (b diskBlobs) AppendBlob(ctx context.Context, id gateway.BlobID, part int, data []byte) error {
	if err := b.disk.checkWrite(int64(len(data))); err != nil {
		return err
	}
	return b.BlobStore.AppendBlob(ctx, id, part, data)
}
