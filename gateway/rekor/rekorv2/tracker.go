// SPDX-License-Identifier: Apache-2.0

package rekorv2

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/sync/singleflight"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

const (
	// acceptedCheckpoints bounds how many verified envelopes are remembered.
	acceptedCheckpoints = 64
	// proveTimeout bounds the proof that one checkpoint is consistent.
	proveTimeout = 30 * time.Second
	// guardInterval is how long the store's word that the log is not forked holds: another
	// replica may find a fork.
	guardInterval = time.Second
)

// tracker verifies checkpoints: signature, origin, and consistency with the last one kept.
// However many answers carry one checkpoint, it is proven once.
type tracker struct {
	origin   string
	verifier note.Verifier
	store    gateway.Checkpoints
	reader   *reader
	logger   *slog.Logger
	metrics  *metrics

	accepted *lru.Cache[string, *gateway.Checkpoint] // verified, by envelope
	flight   singleflight.Group                      // by envelope

	ctx    context.Context // of proofs, which outlive the call that began them
	cancel context.CancelFunc
	prove  sync.Mutex // held while a checkpoint is compared with the kept one and kept

	mu        sync.Mutex
	evidence  *[2]gateway.Checkpoint // a fork not yet stored
	fork      error                  // for ever, once set
	guardedAt time.Time
}

func newTracker(cfg Config, store gateway.Checkpoints, r *reader, logger *slog.Logger, m *metrics) *tracker {
	accepted, err := lru.New[string, *gateway.Checkpoint](acceptedCheckpoints)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	t := &tracker{
		origin: cfg.Origin, verifier: cfg.Verifier, store: store, reader: r,
		logger: logger, metrics: m, accepted: accepted,
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// close stops proofs and waits for the one under way to leave the store.
func (t *tracker) close() {
	t.cancel()
	t.prove.Lock()
	defer t.prove.Unlock()
}

// open checks a checkpoint's form, origin and signature. Errors are ErrBadAnswer.
func (t *tracker) open(envelope []byte) (*gateway.Checkpoint, error) {
	if len(envelope) > maxCheckpoint {
		return nil, fmt.Errorf("%w: checkpoint of %d bytes", gateway.ErrBadAnswer, len(envelope))
	}
	parsed, _, _, err := log.ParseCheckpoint(envelope, t.origin, t.verifier)
	if err != nil {
		return nil, fmt.Errorf("%w: reading checkpoint: %w", gateway.ErrBadAnswer, err)
	}
	if len(parsed.Hash) != sha256.Size || parsed.Size > math.MaxInt64 {
		return nil, fmt.Errorf("%w: checkpoint with size %d and root of %d bytes", gateway.ErrBadAnswer, parsed.Size, len(parsed.Hash))
	}
	if parsed.Size == 0 && !bytes.Equal(parsed.Hash, rfc6962.DefaultHasher.EmptyRoot()) {
		return nil, fmt.Errorf("%w: root of an empty log is wrong", gateway.ErrBadAnswer)
	}
	return &gateway.Checkpoint{
		Size: parsed.Size, Root: [sha256.Size]byte(parsed.Hash), Envelope: bytes.Clone(envelope),
	}, nil
}

// accept returns the checkpoint in envelope once it is verified and kept. Errors are
// ErrBadAnswer, ErrUnavailable when consistency could not be checked, ErrFork, or the store's.
func (t *tracker) accept(ctx context.Context, envelope []byte) (*gateway.Checkpoint, error) {
	if cp, ok := t.accepted.Get(string(envelope)); ok {
		if err := t.forked(); err != nil {
			return nil, err
		}
		return cp, nil
	}
	cp, err := t.open(envelope)
	if err != nil {
		return nil, err
	}
	proven := t.flight.DoChan(string(envelope), func() (any, error) { return nil, t.advance(cp) })
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: waiting for a consistency proof: %w", gateway.ErrUnavailable, ctx.Err())
	case result := <-proven:
		if result.Err != nil {
			return nil, result.Err
		}
		return cp, nil
	}
}

// advance compares cp with the checkpoint kept and keeps it if it is larger. Reading the kept
// one each time, not only at the start, shows forks between replicas that share the store. The
// very first checkpoint is taken on the log's signature alone.
func (t *tracker) advance(cp *gateway.Checkpoint) error {
	ctx, cancel := context.WithTimeout(t.ctx, proveTimeout)
	defer cancel()
	t.prove.Lock()
	defer t.prove.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: checking consistency: %w", gateway.ErrUnavailable, err)
	}
	if err := t.askStore(ctx); err != nil {
		return err
	}
	kept, err := t.kept(ctx)
	if err != nil {
		return err
	}
	if kept != nil {
		if err := t.consistent(ctx, kept, cp); err != nil {
			return err
		}
	}
	if kept == nil || cp.Size > kept.Size {
		if err := t.store.KeepCheckpoint(ctx, t.origin, *cp); err != nil {
			return fmt.Errorf("keeping checkpoint: %w", err)
		}
		kept = cp
	}
	t.metrics.size.Set(float64(kept.Size))
	t.accepted.Add(string(cp.Envelope), cp)
	return nil
}

// kept returns the checkpoint kept, or nil when there is none. One that this log did not sign is
// an error: the log was set up anew under the same origin, or the store is damaged. Neither
// is a fork, which stays for ever.
func (t *tracker) kept(ctx context.Context) (*gateway.Checkpoint, error) {
	kept, err := t.store.Checkpoint(ctx, t.origin)
	if err != nil {
		return nil, fmt.Errorf("reading the checkpoint kept: %w", err)
	}
	if kept == nil {
		return nil, nil
	}
	again, err := t.open(kept.Envelope)
	if err != nil {
		return nil, fmt.Errorf("%w: the checkpoint kept for %s is not by this log's key", gateway.ErrUnavailable, t.origin)
	}
	if again.Size != kept.Size || again.Root != kept.Root {
		return nil, fmt.Errorf("%w: the checkpoint kept for %s is damaged", gateway.ErrUnavailable, t.origin)
	}
	return kept, nil
}

// consistent returns nil when one of a and b, both signed, extends the other.
func (t *tracker) consistent(ctx context.Context, a, b *gateway.Checkpoint) error {
	small, large := a, b
	if small.Size > large.Size {
		small, large = large, small
	}
	root := large.Root
	switch {
	case small.Size == 0:
		return nil
	case small.Size < large.Size:
		tiles, err := newTree(large, t.reader)
		if err != nil {
			return err
		}
		if root, err = tiles.prefixRoot(ctx, small.Size); err != nil {
			return fmt.Errorf("checking consistency of sizes %d and %d: %w", small.Size, large.Size, err)
		}
	}
	if root != small.Root {
		return t.foundFork(ctx, small, large)
	}
	return nil
}
