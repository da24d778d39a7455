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
