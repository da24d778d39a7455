// SPDX-License-Identifier: Apache-2.0

package tiles

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// knownFork returns ErrFork when this process knows of a fork.
func (c *Checkpoints) knownFork() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fork
}

// foundFork refuses the log from now on and stores the evidence. If that fails, Guard tries
// again at each call; until then the evidence is in the log lines alone.
func (c *Checkpoints) foundFork(ctx context.Context, f gateway.Fork) error {
	err := fmt.Errorf("%w: its checkpoints of size %d and %d contradict each other", gateway.ErrFork, f.Small.Size, f.Large.Size)
	c.cfg.Logger.ErrorContext(ctx, "log is forked; nothing more is submitted to it",
		"small", string(f.Small.Envelope), "large", string(f.Large.Envelope),
		"prefix_root", hex.EncodeToString(f.PrefixRoot[:]), "consistency", hex.EncodeToString(bytes.Join(f.Consistency, nil)))
	c.mu.Lock()
	c.evidence = &f
	c.mu.Unlock()
	c.refuseLog(err)
	c.storeEvidence(ctx)
	return err
}

func (c *Checkpoints) refuseLog(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fork == nil {
		c.fork = err
		c.cfg.Forked()
	}
}

func (c *Checkpoints) storeEvidence(ctx context.Context) {
	c.mu.Lock()
	evidence := c.evidence
	c.mu.Unlock()
	if evidence == nil {
		return
	}
	if err := c.cfg.Store.KeepFork(ctx, *evidence); err != nil {
		c.cfg.Logger.ErrorContext(ctx, "keeping the evidence of a fork", "error", err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.evidence = nil
}

// Guard returns gateway.ErrFork when a fork is known, to this process or to the store.
func (c *Checkpoints) Guard(ctx context.Context) error {
	if err := c.knownFork(); err != nil {
		c.storeEvidence(ctx)
		return err
	}
	if !c.shouldAsk() {
		return nil
	}
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.guarding = false
	}()
	return c.askStore(ctx)
}

// shouldAsk reports whether this call of Guard is to ask the store. Of all that send at once one does, and the others go by the
// last answer for a little longer: thousands of questions at the same moment would hold up what they are for.
func (c *Checkpoints) shouldAsk() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	age := time.Since(c.guardedAt)
	if age < guardInterval || c.guarding && age < longestGuard {
		return false
	}
	c.guarding = true
	return true
}

func (c *Checkpoints) askStore(ctx context.Context) error {
	switch err := c.cfg.Store.Forked(ctx, c.cfg.Shard); {
	case errors.Is(err, gateway.ErrFork):
		c.refuseLog(err)
		return err
	case err != nil:
		return fmt.Errorf("asking the store about forks: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.guardedAt = time.Now()
	return c.fork
}

// VerifyFork checks evidence of a fork by itself, as a stranger would who has only the log's key:
// both checkpoints are signed by it, and the tree of the large one had another root at the
// size of the small one (RFC 6962 consistency proof). Nil means that the log signed two
// histories.
func VerifyFork(f gateway.Fork, verifier note.Verifier) error {
	known := f.KeyID != [sha256.Size]byte{}
	if known && !hasKey(verifier, f.Shard) {
		return fmt.Errorf("verifying fork: the key is not that of %q", f.Origin)
	}
	for _, cp := range []gateway.Checkpoint{f.Small, f.Large} {
		signed, err := OpenCheckpoint(cp.Envelope, f.Origin, verifier)
		if err != nil {
			return fmt.Errorf("verifying fork: %w", err)
		}
		if !signed.Equal(&cp) {
			return fmt.Errorf("verifying fork: the checkpoint of size %d is not what was signed", cp.Size)
		}
	}
	switch {
	case f.Small.Size == 0:
		return errors.New("verifying fork: every tree extends the empty one")
	case f.PrefixRoot == f.Small.Root:
		return errors.New("verifying fork: the checkpoints do not contradict each other")
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, f.Small.Size, f.Large.Size, f.Consistency, f.PrefixRoot[:], f.Large.Root[:]); err != nil {
		return fmt.Errorf("verifying fork: %w", err)
	}
	return nil
}

// hasKey reports whether v is for the shard, as far as its name and key hash tell. Rekor v1 signs the checkpoints of its trees, whose
// origins are "NAME - TREE", as NAME.
func hasKey(v note.Verifier, shard gateway.Shard) bool {
	named := v.Name() == shard.Origin || strings.HasPrefix(shard.Origin, v.Name()+" - ")
	return named && v.KeyHash() == binary.BigEndian.Uint32(shard.KeyID[:])
}
