// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"context"
	"errors"
	"runtime"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// What parsing takes in memory, as multiples of the signature and the keys, or in bytes: upper bounds on what
// the formats' dearest inputs take, honest and hostile (their TestHonestWork and TestHostileWork).
const (
	parsingCopies = 32       // while it is parsed: a PGP key of thousands of small packets
	parsingMost   = 64 << 20 // formats.MaxWork ends what would take more
	parsedCopies  = 5        // afterwards: TUF metadata with many targets

	xzMemory = 64 << 20 // the largest dictionary
)

const (
	leastPlaces     = 2 // one dear request holds up nobody
	parsingPatience = 10 * time.Second
)

// parsingPlaces bound how many requests are parsed at once: more than there are processors would only take
// more memory. A place is held for no longer than formats.MaxWork takes, so that waiting for one is worth while.
type parsingPlaces struct {
	places   *semaphore.Weighted
	patience time.Duration
}

func newParsingPlaces() *parsingPlaces {
	return &parsingPlaces{
		places: semaphore.NewWeighted(int64(max(leastPlaces, runtime.GOMAXPROCS(0)))), patience: parsingPatience,
	}
}

// takePlace waits for a place, and counts in held what parsing r takes. The function that it returns frees
// the place and leaves counted what was parsed. The wait ends in gateway.ErrBusy; memory is not
// waited for (gateway.ErrMemoryFull).
func (p *parsingPlaces) takePlace(ctx context.Context, r gateway.Request, held *gateway.Held) (done func(), err error) {
	if !p.places.TryAcquire(1) {
		if err := p.awaitPlace(ctx); err != nil {
			return nil, err
		}
	}
	parsing, parsed := parsingMemory(r)
	if err := held.Grow(parsing); err != nil {
		p.places.Release(1)
		return nil, err
	}
	return func() {
		p.places.Release(1)
		held.Shrink(parsing - parsed)
	}, nil
}

func (p *parsingPlaces) awaitPlace(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, p.patience)
	defer cancel()
	err := p.places.Acquire(waiting, 1)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return gateway.ErrBusy
	}
	return err
}

// parsingMemory returns what r takes while it is parsed, and afterwards, in bytes.
func parsingMemory(r gateway.Request) (parsing, parsed int64) {
	size := int64(len(r.Signature))
	for _, k := range r.Keys {
		size += int64(len(k))
	}
	parsed = size * parsedCopies
	return max(parsed, min(size*parsingCopies, parsingMost)), parsed
}
