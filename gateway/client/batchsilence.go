// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"time"
)

// endSilent ends the stream of ctx with ErrSilent when the gateway neither takes nor says anything for longer than Retries.Silence,
// though there is something that it has to answer.
func (b *batch) endSilent(ctx context.Context, cancel context.CancelCauseFunc) {
	patience := b.client.retries.silence()
	for b.isHeard(patience) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(patience / 4):
		}
	}
	cancel(ErrSilent)
}

// isHeard reports whether the gateway was heard of within patience, or was not to be.
func (b *batch) isHeard(patience time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.delivering || b.opened && len(b.pending) == 0 {
		b.heardAt = time.Now()
	}
	return time.Since(b.heardAt) < patience
}

// noteOpened notes that a stream is about to be opened, or was.
func (b *batch) noteOpened(opened bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opened, b.delivering, b.heardAt = opened, false, time.Now()
}

// noteDelivering notes whether an answer waits for whoever takes the results: the gateway is not read meanwhile.
func (b *batch) noteDelivering(delivering bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.delivering, b.heardAt = delivering, time.Now()
}

// noteProgress notes that the gateway has taken something.
func (b *batch) noteProgress() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heardAt = time.Now()
}
