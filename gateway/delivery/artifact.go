// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"encoding/base64"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekord"
)

const (
	// artifactsAtOnce bounds the bytes of artifacts that are under way to one log, beyond the first: with more, a line that carries gateway.LeastSendRate
	// would not carry all of them in time, and none would be logged. A log of Rekor v1 holds each in memory several times over.
	artifactsAtOnce = 32 << 20
	// Who finds the line full comes again: the later, the longer it has been full.
	leastPause, longestPause = time.Second, time.Minute
)

// artifactLine is where entries wait for their turn to be sent with their artifacts. Who waits there holds a slot of the budget, so that no more than a part of
// them may, or entries that need no turn would wait until all artifacts are sent.
type artifactLine struct {
	turns  *semaphore.Weighted // held while they are under way
	closed chan struct{}

	mu      sync.Mutex // guards what follows
	waiting int
	full    time.Time // since when it is; zero: it is not
}

func newArtifactLine() *artifactLine {
	return &artifactLine{turns: semaphore.NewWeighted(artifactsAtOnce), closed: make(chan struct{})}
}

// close sends away all who wait: what is begun when a worker is about to end would end in doubt. It is called once.
func (l *artifactLine) close() { close(l.closed) }

// wait waits for a turn beside at most so many others, or until ctx ends: who sends the entry sees that. Where too many wait already, or the line is closed, pause
// is when to come again.
func (l *artifactLine) wait(ctx context.Context, turn int64, most int) (done func(), pause time.Duration) {
	done = func() { l.turns.Release(turn) }
	if l.turns.TryAcquire(turn) {
		return done, 0
	}
	if pause := l.join(most); pause > 0 {
		return nil, pause
	}
	defer l.leave()
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		select {
		case <-l.closed:
			stop()
		case <-waiting.Done():
		}
	}()
	switch err := l.turns.Acquire(waiting, turn); {
	case err == nil:
		return done, 0
	case ctx.Err() != nil:
		return func() {}, 0
	}
	return nil, leastPause
}

func (l *artifactLine) join(most int) (pause time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting < most {
		l.waiting++
		return 0
	}
	now := time.Now()
	if l.full.IsZero() {
		l.full = now
	}
	pause = min(max(now.Sub(l.full)/8, leastPause), longestPause)
	return pause/2 + rand.N(pause) //nolint:gosec // so that not all come at once
}

func (l *artifactLine) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting--
	if l.waiting == 0 {
		l.full = time.Time{}
	}
}

// takeTurn waits until an entry may be sent with its artifact, or its context ends: its time begins then. It returns how much longer the entry may take since
// its artifact is sent with it, under a lease that is extended meanwhile, as any. Entries without one do not wait. Where too many wait, pause is when to try
// again.
func (w *worker) takeTurn(s *send) (more time.Duration, done func(), pause time.Duration) {
	size := w.sizeOfArtifact(s)
	if size == 0 {
		return 0, func() {}, 0
	}
	done, pause = w.artifacts.wait(s.ctx, min(size, artifactsAtOnce), w.budget.mayWait())
	return gateway.SendTime(size), done, pause
}

// sizeOfArtifact returns how many bytes of what is sent are the entry's artifact.
func (w *worker) sizeOfArtifact(s *send) int64 {
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
