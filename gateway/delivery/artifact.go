// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekord"
)

// artifactsAtOnce bounds the bytes of artifacts that are under way to one log, beyond the first: with more, a line that carries gateway.LeastSendRate
// would not carry all of them in time, and none would be logged. A log of Rekor v1 holds each in memory several times over.
const artifactsAtOnce = 32 << 20

// takeTurn waits until an entry may be sent with its artifact, or its context ends: its time begins then. It returns how much longer the entry may take since
// its artifact is sent with it, under a lease that is extended meanwhile, as any. Entries without one do not wait.
func (w *worker) takeTurn(s send) (more time.Duration, done func()) {
	size := w.sizeOfArtifact(s)
	turn := min(size, artifactsAtOnce)
	if turn == 0 || w.artifacts.Acquire(s.ctx, turn) != nil { // who sends it sees that the context has ended
		return 0, func() {}
	}
	return gateway.SendTime(size), func() { w.artifacts.Release(turn) }
}

// sizeOfArtifact returns how many bytes of what is sent are the entry's artifact.
func (w *worker) sizeOfArtifact(s send) int64 {
	if w.blobs == nil || s.Kind != rekord.Kind {
		return 0
	}
	ctx, cancel := context.WithTimeout(s.ctx, w.timing.AddTimeout)
	defer cancel()
	blob, err := w.blobs.BlobOf(ctx, s.LeafHash)
	if err != nil {
		return 0 // who sends it says so
	}
	return int64(base64.StdEncoding.EncodedLen(int(blob.Size)))
}
