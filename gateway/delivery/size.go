// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"sync"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// knownSize is what is known of the size of the shard that is written to. Any size that was proven before an entry is first
// sent will do for it: a smaller one only makes a search for it longer. What is logged proves one, so that a log that takes
// entries is hardly ever asked. It is safe for concurrent use.
type knownSize struct {
	idle time.Duration // Timing.Idle

	mu       sync.Mutex // guards what follows
	shard    gateway.Shard
	size     uint64
	askedAt  time.Time // when the log was last asked for it
	failedAt time.Time // when an entry last came back without having been logged
}

// lookUp returns a size of the shard, unless the log has to be asked: for the first time, now and then, and after each failure,
// so that nothing is sent to a log that cannot be read, or is forked.
func (k *knownSize) lookUp(shard gateway.Shard, now time.Time) (size uint64, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.size, k.shard == shard && k.askedAt.After(k.failedAt) && now.Sub(k.askedAt) < k.idle
}

// noteSize notes what the log said, when it was asked at askedAt.
func (k *knownSize) noteSize(shard gateway.Shard, size uint64, askedAt time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.shard, k.size, k.askedAt = shard, size, askedAt
}

// noteOutcome notes what came of an entry that was sent to the shard.
func (k *knownSize) noteOutcome(shard gateway.Shard, o gateway.Outcome) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case o.Inclusion != nil && k.shard == shard:
		k.size = max(k.size, o.Inclusion.Index+1)
	case o.Retry && o.Problem != gateway.ProblemOverloaded:
		k.failedAt = time.Now()
	}
}
