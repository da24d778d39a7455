// SPDX-License-Identifier: Apache-2.0

package tiles

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
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
	// proveWait bounds how long a checkpoint waits until those before it are proven. Nobody waits for an answer for as long.
	proveWait = 2 * time.Minute
	// guardInterval is how long a negative answer of the store's Forked is cached: another
	// replica may find a fork.
	guardInterval = time.Second
	// longestGuard is how long it is used while somebody asks again.
	longestGuard = 3 * time.Second
	// keepTries bounds how often one checkpoint is proven anew because other replicas kept
	// theirs first. Each time the log has grown, so this ends early.
	keepTries = 10
)

// CheckpointsConfig is what Checkpoints needs to know of a shard.
type CheckpointsConfig struct {
	Shard gateway.Shard
	// Verifier has the shard's key; its name is the origin.
	Verifier note.Verifier
	Store    gateway.Checkpoints
	Reader   Source
	Logger   *slog.Logger
	// Size, when set, is called with the size of the largest checkpoint verified, and Forked when a
	// fork becomes known. They are called under locks and must not block.
	Size   func(uint64)
	Forked func()
}

// Source is what checkpoints, and proofs between them, are read from. It is trusted for nothing. A *Reader is one. Its methods are safe for
// concurrent use; their errors are gateway.ErrUnavailable and gateway.ErrBadAnswer.
type Source interface {
	// Checkpoint returns the signed note that is served now.
	Checkpoint(ctx context.Context) ([]byte, error)
	// ProvePrefix returns the root that the tree of large had at the size of small, which is less and above zero, and the hashes that
	// prove it: an RFC 6962 consistency proof from it to the root of large, verified.
	ProvePrefix(ctx context.Context, small, large *gateway.Checkpoint) (root [sha256.Size]byte, hashes [][]byte, err error)
}

// Checkpoints verifies the checkpoints (C2SP tlog-checkpoint) of one shard: signature, origin, and
// consistency with the last one kept. However many answers carry one checkpoint, it is proven
// once. It is safe for concurrent use.
type Checkpoints struct {
	cfg CheckpointsConfig // not changed after NewCheckpoints

	accepted *lru.Cache[string, *gateway.Checkpoint] // verified, by envelope; locks itself
	flight   singleflight.Group                      // proofs under way, by envelope; locks itself

	ctx    context.Context // of proofs, which outlive the call that began them; ended by Close
	cancel context.CancelFunc
	prove  chan struct{} // has one while a checkpoint is compared with the kept one and kept

	mu        sync.Mutex    // guards what follows; never held while the store or the log is asked
	evidence  *gateway.Fork // a fork not yet stored; set by foundFork, cleared by storeEvidence
	fork      error         // ErrFork, for ever, once set by refuse
	guardedAt time.Time     // when askStore last heard that no fork is kept
	guarding  bool          // a Guard asks
}

// NewCheckpoints returns the checkpoints of one shard. Close ends the proofs it runs.
func NewCheckpoints(cfg CheckpointsConfig) (*Checkpoints, error) {
	if cfg.Shard.Origin == "" || cfg.Verifier == nil || !hasKey(cfg.Verifier, cfg.Shard) {
		return nil, fmt.Errorf("the verifier is not for origin %q and its key", cfg.Shard.Origin)
	}
	if cfg.Store == nil || cfg.Reader == nil || cfg.Logger == nil {
		return nil, errors.New("checkpoints need a store, a reader and a logger")
	}
	if cfg.Size == nil {
		cfg.Size = func(uint64) {}
	}
	if cfg.Forked == nil {
		cfg.Forked = func() {}
	}
	accepted, err := lru.New[string, *gateway.Checkpoint](acceptedCheckpoints)
	if err != nil {
		return nil, fmt.Errorf("making checkpoint cache: %w", err)
	}
	c := &Checkpoints{cfg: cfg, accepted: accepted, prove: make(chan struct{}, 1)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

// Close stops proofs and waits for the one under way to leave the store.
func (c *Checkpoints) Close() {
	c.cancel()
	c.prove <- struct{}{}
	<-c.prove
}

// OpenCheckpoint checks a signed note's form (C2SP tlog-checkpoint), origin and signature by
// verifier. It says nothing of consistency. Its error is gateway.ErrBadAnswer.
func OpenCheckpoint(envelope []byte, origin string, verifier note.Verifier) (*gateway.Checkpoint, error) {
	if len(envelope) > maxCheckpoint {
		return nil, fmt.Errorf("%w: checkpoint of %d bytes", gateway.ErrBadAnswer, len(envelope))
	}
	parsed, _, _, err := log.ParseCheckpoint(envelope, origin, verifier)
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

// CurrentCheckpoint fetches the log's checkpoint, verifies it, and returns it or the kept one,
// whichever is larger: a cache in front of the tiles may be behind what answers have shown, to
// this process or to another. Errors are as Accept's.
func (c *Checkpoints) CurrentCheckpoint(ctx context.Context) (*gateway.Checkpoint, error) {
	if err := c.Guard(ctx); err != nil {
		return nil, err
	}
	raw, err := c.cfg.Reader.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	cp, err := c.Accept(ctx, raw)
	if err != nil {
		return nil, err
	}
	kept, err := c.readKept(ctx)
	if err != nil {
		return nil, err
	}
	if kept.ours && kept.Size > cp.Size {
		return kept.Checkpoint, nil
	}
	return cp, nil
}

// Accept returns the checkpoint in envelope once it is verified and kept. Errors are
// gateway.ErrBadAnswer, gateway.ErrUnavailable when consistency could not be checked,
// gateway.ErrFork, or the store's.
func (c *Checkpoints) Accept(ctx context.Context, envelope []byte) (*gateway.Checkpoint, error) {
	if cp, ok := c.accepted.Get(string(envelope)); ok {
		if err := c.knownFork(); err != nil {
			return nil, err
		}
		return cp, nil
	}
	proven := c.flight.DoChan(string(envelope), func() (any, error) { return c.openAndAccept(envelope), nil })
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: waiting for a consistency proof: %w", gateway.ErrUnavailable, ctx.Err())
	case result := <-proven:
		return result.Val.(*acceptance).unwrap()
	}
}

// acceptance is what came of one checkpoint, for all who wait for it.
type acceptance struct {
	checkpoint *gateway.Checkpoint
	err        error
	panicked   any // what the work panicked with
}

// unwrap goes on with the panic, so that who waits reports it as one of his own: in the goroutine of the work it would end
// the process.
func (a *acceptance) unwrap() (*gateway.Checkpoint, error) {
	if a.panicked != nil {
		panic(a.panicked)
	}
	return a.checkpoint, a.err
}

// openAndAccept verifies a checkpoint once for all the answers that carry it: they come at the same time.
func (c *Checkpoints) openAndAccept(envelope []byte) *acceptance {
	a := new(acceptance)
	defer func() { a.panicked = recover() }()
	var cp *gateway.Checkpoint
	if cp, a.err = OpenCheckpoint(envelope, c.cfg.Shard.Origin, c.cfg.Verifier); a.err != nil {
		return a
	}
	if a.err = c.acceptCheckpoint(cp); a.err == nil {
		a.checkpoint = cp
	}
	return a
}

// acceptCheckpoint compares cp with the checkpoint kept and keeps it if it is larger. Reading the kept
// one each time, not only at the start, shows forks between replicas that share the store. The
// very first checkpoint of a shard is taken on the log's signature alone.
func (c *Checkpoints) acceptCheckpoint(cp *gateway.Checkpoint) error {
	if err := c.waitToProve(); err != nil {
		return fmt.Errorf("%w: checking consistency: %w", gateway.ErrUnavailable, err)
	}
	defer func() { <-c.prove }()
	ctx, cancel := context.WithTimeout(c.ctx, proveTimeout) // the time of this one, whatever those before took
	defer cancel()
	if err := c.askStore(ctx); err != nil {
		return err
	}
	kept, err := c.readKept(ctx)
	if err != nil {
		return err
	}
	larger, err := c.keepLarger(ctx, kept, cp)
	if err != nil {
		return err
	}
	c.cfg.Size(larger.Size)
	c.accepted.Add(string(cp.Envelope), cp)
	return nil
}

// waitToProve waits until no other checkpoint is being proven. Nil: this one is, and prove is to be emptied.
func (c *Checkpoints) waitToProve() error {
	ctx, cancel := context.WithTimeout(c.ctx, proveWait)
	defer cancel()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case c.prove <- struct{}{}:
	}
	if err := c.ctx.Err(); err != nil {
		<-c.prove
		return err
	}
	return nil
}

// keepLarger keeps cp if it is larger than the checkpoint kept and extends it, and returns what is
// kept. Where another replica was first, cp is proven against what that one kept: so each
// checkpoint kept extends the one before, and two replicas that were shown different histories
// find out.
func (c *Checkpoints) keepLarger(ctx context.Context, kept keptCheckpoint, cp *gateway.Checkpoint) (*gateway.Checkpoint, error) {
	for range keepTries {
		if kept.ours {
			if err := c.checkConsistent(ctx, kept.Checkpoint, cp); err != nil {
				return nil, err
			}
			if cp.Size <= kept.Size {
				return kept.Checkpoint, nil
			}
		}
		winner, err := c.cfg.Store.KeepCheckpoint(ctx, c.cfg.Shard, kept.Checkpoint, *cp)
		if err != nil {
			return nil, fmt.Errorf("keeping checkpoint: %w", err)
		}
		if winner.Equal(cp) {
			if kept.Checkpoint != nil && !kept.ours {
				c.cfg.Logger.WarnContext(ctx, "a checkpoint by another key of this origin, kept before keys were, has given way", "checkpoint", string(kept.Envelope))
			}
			return cp, nil
		}
		if kept, err = c.verifyKept(winner); err != nil {
			return nil, err
		}
		if winner != nil && !kept.ours { // nobody who shares the store keeps such a one now
			return nil, fmt.Errorf("%w: the checkpoint kept for %s is by another key", gateway.ErrUnavailable, c.cfg.Shard.Origin)
		}
	}
	return nil, fmt.Errorf("%w: the checkpoint kept for %s changed %d times while another was proven",
		gateway.ErrUnavailable, c.cfg.Shard.Origin, keepTries)
}

// keptCheckpoint is what the store keeps: nothing when it is nil. Ours says that this shard's key signed
// it, so that what follows has to be consistent with it.
type keptCheckpoint struct {
	*gateway.Checkpoint
	ours bool
}

// readKept returns the checkpoint kept. Errors are the store's, and verifyKept's.
func (c *Checkpoints) readKept(ctx context.Context) (keptCheckpoint, error) {
	kept, err := c.cfg.Store.Checkpoint(ctx, c.cfg.Shard)
	if err != nil {
		return keptCheckpoint{}, fmt.Errorf("reading the checkpoint kept: %w", err)
	}
	return c.verifyKept(kept)
}

// verifyKept verifies what the store gave, nil included. A checkpoint by other keys of this origin alone
// is of a time before keys were stored, and the log was set up anew since: it binds another shard, and
// gives way to the first one of this. What is damaged is gateway.ErrUnavailable, which is no fork:
// that stays for ever.
func (c *Checkpoints) verifyKept(kept *gateway.Checkpoint) (keptCheckpoint, error) {
	if kept == nil {
		return keptCheckpoint{}, nil
	}
	if signedByOthers(kept.Envelope, c.cfg.Verifier) {
		return keptCheckpoint{Checkpoint: kept}, nil
	}
	again, err := OpenCheckpoint(kept.Envelope, c.cfg.Shard.Origin, c.cfg.Verifier)
	if err != nil || again.Size != kept.Size || again.Root != kept.Root {
		return keptCheckpoint{}, fmt.Errorf("%w: the checkpoint kept for %s is damaged", gateway.ErrUnavailable, c.cfg.Shard.Origin)
	}
	return keptCheckpoint{Checkpoint: kept, ours: true}, nil
}

// signedByOthers reports whether envelope is a signed note with signature lines of v's origin, none of
// which names v's key.
func signedByOthers(envelope []byte, v note.Verifier) bool {
	var unverified *note.UnverifiedNoteError
	if _, err := note.Open(envelope, note.VerifierList()); !errors.As(err, &unverified) {
		return false
	}
	others := false
	for _, line := range unverified.Note.UnverifiedSigs {
		if line.Name != v.Name() {
			continue
		}
		if line.Hash == v.KeyHash() {
			return false
		}
		others = true
	}
	return others
}

// checkConsistent returns nil when one of a and b, both signed, extends the other.
func (c *Checkpoints) checkConsistent(ctx context.Context, a, b *gateway.Checkpoint) error {
	small, large := a, b
	if small.Size > large.Size {
		small, large = large, small
	}
	f := gateway.Fork{Shard: c.cfg.Shard, Small: *small, Large: *large, PrefixRoot: large.Root}
	switch {
	case small.Size == 0:
		return nil
	case small.Size < large.Size:
		var err error
		if f.PrefixRoot, f.Consistency, err = c.cfg.Reader.ProvePrefix(ctx, small, large); err != nil {
			return fmt.Errorf("checking consistency of sizes %d and %d: %w", small.Size, large.Size, err)
		}
	}
	if f.PrefixRoot != small.Root {
		return c.foundFork(ctx, f)
	}
	return nil
}
