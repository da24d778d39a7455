// SPDX-License-Identifier: Apache-2.0

package rekorv2

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// forked returns ErrFork when this process knows of a fork.
func (t *tracker) forked() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fork
}

// foundFork refuses the log from now on and stores the evidence. If that fails, guard tries
// again at each call.
func (t *tracker) foundFork(ctx context.Context, a, b *gateway.Checkpoint) error {
	err := fmt.Errorf("%w: its checkpoints of size %d and %d contradict each other", gateway.ErrFork, a.Size, b.Size)
	t.logger.ErrorContext(ctx, "log is forked; nothing more is submitted to it",
		"a", string(a.Envelope), "b", string(b.Envelope))
	t.mu.Lock()
	t.evidence = &[2]gateway.Checkpoint{*a, *b}
	t.mu.Unlock()
	t.refuse(err)
	t.storeEvidence(ctx)
	return err
}

func (t *tracker) refuse(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fork == nil {
		t.fork = err
		t.metrics.forked.Set(1)
	}
}

func (t *tracker) storeEvidence(ctx context.Context) {
	t.mu.Lock()
	evidence := t.evidence
	t.mu.Unlock()
	if evidence == nil {
		return
	}
	if err := t.store.KeepFork(ctx, t.origin, evidence[0], evidence[1]); err != nil {
		t.logger.ErrorContext(ctx, "keeping the evidence of a fork", "error", err)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.evidence = nil
}

// guard returns ErrFork when a fork is known, to this process or to the store.
func (t *tracker) guard(ctx context.Context) error {
	if err := t.forked(); err != nil {
		t.storeEvidence(ctx)
		return err
	}
	t.mu.Lock()
	fresh := time.Since(t.guardedAt) < guardInterval
	t.mu.Unlock()
	if fresh {
		return nil
	}
	return t.askStore(ctx)
}

func (t *tracker) askStore(ctx context.Context) error {
	switch err := t.store.Forked(ctx, t.origin); {
	case errors.Is(err, gateway.ErrFork):
		t.refuse(err)
		return err
	case err != nil:
		return fmt.Errorf("asking the store about forks: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.guardedAt = time.Now()
	return t.fork
}
