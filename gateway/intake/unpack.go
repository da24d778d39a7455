// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"context"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats/container"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Bounds on decompression: one xz container takes up to 64 MiB of memory while it is read.
const (
	maxUnpacking   = 4 // xz containers read at once
	unpackPatience = 10 * time.Second
)

// unpacker bounds the memory that decompression takes.
type unpacker struct {
	places   chan struct{}
	patience time.Duration // to wait for a place
}

func newUnpacker() *unpacker {
	return &unpacker{places: make(chan struct{}, maxUnpacking), patience: unpackPatience}
}

// takePlace waits for one of the places for decompression, and returns the function that frees it.
// Gzip needs next to no memory and takes no place. Slow clients may hold all places, so the wait is
// bounded and ends in gateway.ErrBusy.
func (u *unpacker) takePlace(ctx context.Context, k container.Kind) (done func(), err error) {
	if k == container.Gzip {
		return func() {}, nil
	}
	patience := time.NewTimer(u.patience)
	defer patience.Stop()
	select {
	case u.places <- struct{}{}:
		return func() { <-u.places }, nil
	case <-patience.C:
		return nil, gateway.ErrBusy
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
