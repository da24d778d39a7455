// SPDX-License-Identifier: Apache-2.0

package tiles_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
)

// process is what one process has open of a log.
type process struct {
	*tiles.Checkpoints
	reader *tiles.Reader
}

func shardOf(fake *rekortest.Fake) gateway.Shard {
	return gateway.Shard{Origin: fake.Origin(), KeyID: [32]byte(fake.KeyID())}
}

func readerConfig(fake *rekortest.Fake) tiles.ReaderConfig {
	return tiles.ReaderConfig{URL: fake.ReadURL(), UserAgent: "rekor-gateway", Timeout: 5 * time.Second}
}

func newReader(t testing.TB, cfg tiles.ReaderConfig) *tiles.Reader {
	t.Helper()
	r, err := tiles.NewReader(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func open(t testing.TB, fake *rekortest.Fake, store gateway.Checkpoints) *process {
	t.Helper()
	r := newReader(t, readerConfig(fake))
	c, err := tiles.NewCheckpoints(tiles.CheckpointsConfig{
		Shard: shardOf(fake), Verifier: fake.Verifier(), Store: store, Reader: r,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &process{Checkpoints: c, reader: r}
}

// find looks for leaves under the log's current checkpoint, to its end.
func (p *process) find(ctx context.Context, leaves []gateway.LeafHash, from uint64) (map[gateway.LeafHash]tiles.Found, error) {
	searched, err := p.search(ctx, leaves, from, math.MaxUint64)
	return searched.Found, err
}

func (p *process) search(ctx context.Context, leaves []gateway.LeafHash, from, to uint64) (tiles.Searched, error) {
	cp, err := p.CurrentCheckpoint(ctx)
	if err != nil {
		return tiles.Searched{}, err
	}
	tree, err := tiles.NewTree(cp, p.reader)
	if err != nil {
		return tiles.Searched{}, err
	}
	return tree.Find(ctx, leaves, from, to)
}

func newTree(t *testing.T, cp *gateway.Checkpoint, r *tiles.Reader) *tiles.Tree {
	t.Helper()
	tree, err := tiles.NewTree(cp, r)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// kind says which of the package's errors err is.
func kind(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, gateway.ErrFork):
		return "fork"
	case errors.Is(err, gateway.ErrBadAnswer):
		return "bad answer"
	case errors.Is(err, gateway.ErrUnavailable):
		return "unavailable"
	default:
		return "unknown"
	}
}

// grow appends n entries of others.
func grow(fake *rekortest.Fake, n int) {
	bodies := make([][]byte, n)
	for i := range bodies {
		bodies[i] = fmt.Appendf(nil, "entry %d after %d", i, fake.Size())
	}
	fake.Append(bodies...)
}

func wantSize(t *testing.T, l *process, want uint64) {
	t.Helper()
	if got, err := l.CurrentCheckpoint(t.Context()); err != nil || got.Size != want {
		t.Fatalf("checkpoint %v, %v; want size %d", got, err, want)
	}
}

// checkInclusion verifies what was found against the log's own checkpoint of now.
func checkInclusion(t *testing.T, fake *rekortest.Fake, f tiles.Found) {
	t.Helper()
	cp, err := tiles.OpenCheckpoint(fake.Checkpoint(fake.Size()), fake.Origin(), fake.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	leaf := rfc6962.DefaultHasher.HashLeaf(f.Entry)
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, f.Index, cp.Size, leaf, f.Hashes, cp.Root[:]); err != nil {
		t.Errorf("inclusion of index %d: %v", f.Index, err)
	}
}
