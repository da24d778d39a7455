// SPDX-License-Identifier: Apache-2.0

package rekorcompat

import (
	"context"
	"errors"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// Log is a log that is read through the gateway. Methods are those of gateway.Log, and of a Rekor v2 log as published.
type Log interface {
	Describe() gateway.LogInfo
	Former() []gateway.FormerShard
	// ReadCheckpoint returns the checkpoint that there is now, verified.
	ReadCheckpoint(ctx context.Context, shard gateway.Shard) (*gateway.Checkpoint, error)
	// ReadTile and ReadEntries return what is published, unverified. gateway.ErrNotFound: it is not there. Partial is the width, 0 for all.
	ReadTile(ctx context.Context, shard gateway.Shard, level, index uint64, partial uint8) ([]byte, error)
	ReadEntries(ctx context.Context, shard gateway.Shard, index uint64, partial uint8) ([]byte, error)
}

const (
	keepCheckpoint = time.Second
	// keepTile is not for ever, so that what a faulty host has served is forgotten: nobody has verified it here.
	keepTile = 10 * time.Minute
	// readTime bounds one read of the log, which goes on when who has asked for it first is gone.
	readTime = 20 * time.Second

	// What is kept: tiles of 8 KiB each, and entry bundles that are not large, which are most.
	keptTiles   = 512
	keptBundles = 16
	largeBundle = 512 << 10 // bytes
	// What is read of the log at once.
	tilesAtOnce   = 16
	bundlesAtOnce = 2
)

// mirror reads one log for many who ask for the same.
type mirror struct {
	log     func() Log
	tiles   *shelf
	bundles *shelf
	reading chan struct{} // the place of who reads the checkpoint, and what is kept of it

	checkpoint keptCheckpoint // of who has the place
}

type keptCheckpoint struct {
	shard gateway.Shard
	*gateway.Checkpoint
	err   error
	until time.Time
}

func newMirror(log func() Log) *mirror {
	return &mirror{log: log, tiles: newShelf(keptTiles, tilesAtOnce), bundles: newShelf(keptBundles, bundlesAtOnce), reading: make(chan struct{}, 1)}
}

// errNoLog: the log was taken out of the configuration.
var errNoLog = formats.NewError(problem.ReasonNotFound, "no log is read through this gateway", "ask the log itself; its operator says where its tiles are")

// readCheckpoint returns the log's checkpoint, a second old at most. A failure is kept for as long.
func (m *mirror) readCheckpoint(ctx context.Context) (*gateway.Checkpoint, error) {
	log := m.log()
	if log == nil {
		return nil, errNoLog
	}
	select {
	case m.reading <- struct{}{}:
		defer func() { <-m.reading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	shard := log.Describe().Shard
	kept := m.checkpoint
	if kept.shard == shard && time.Now().Before(kept.until) {
		return kept.Checkpoint, kept.err
	}
	reading, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTime)
	defer cancel()
	cp, err := log.ReadCheckpoint(reading, shard)
	m.checkpoint = keptCheckpoint{shard, cp, explainRead(err), time.Now().Add(keepCheckpoint)}
	return m.checkpoint.Checkpoint, m.checkpoint.err
}

// readTile returns a tile of the log. What its last checkpoint does not cover the log is not asked for.
func (m *mirror) readTile(ctx context.Context, level, index uint64, partial uint8) ([]byte, error) {
	return m.readShelved(ctx, m.tiles, shelved{level: level, index: index, partial: partial}, func(ctx context.Context, log Log, shard gateway.Shard) ([]byte, error) {
		return log.ReadTile(ctx, shard, level, index, partial)
	})
}

// readEntries is readTile for an entry bundle.
func (m *mirror) readEntries(ctx context.Context, index uint64, partial uint8) ([]byte, error) {
	return m.readShelved(ctx, m.bundles, shelved{index: index, partial: partial}, func(ctx context.Context, log Log, shard gateway.Shard) ([]byte, error) {
		return log.ReadEntries(ctx, shard, index, partial)
	})
}

func (m *mirror) readShelved(ctx context.Context, s *shelf, what shelved, read func(context.Context, Log, gateway.Shard) ([]byte, error)) ([]byte, error) {
	if _, err := m.readCheckpoint(ctx); err != nil { // which tells the log how large it is
		return nil, err
	}
	log := m.log()
	if log == nil {
		return nil, errNoLog
	}
	what.shard = log.Describe().Shard
	raw, err := s.take(ctx, what, func(ctx context.Context) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, readTime)
		defer cancel()
		return read(ctx, log, what.shard)
	})
	if err != nil {
		return nil, explainRead(err)
	}
	return raw, gateway.HeldFrom(ctx).Grow(int64(len(raw)))
}

// explainRead says what callers can do about a log that cannot be read.
func explainRead(err error) error {
	switch {
	case errors.Is(err, gateway.ErrFork) || err == nil:
		return err
	case errors.Is(err, gateway.ErrBadAnswer):
		return formats.WrapError(err, formats.Reason(gateway.ProblemBadAnswer), "what the log shows does not verify", "ask again later; tell the gateway's operator if it stays so")
	case errors.Is(err, gateway.ErrUnavailable):
		return formats.WrapError(err, formats.Reason(gateway.ProblemUnavailable), "the log cannot be read now", "ask again later; tell the gateway's operator if it stays so")
	}
	return err
}

// shelved is what a shelf keeps something under.
type shelved struct {
	shard        gateway.Shard
	level, index uint64
	partial      uint8
}

// shelf keeps a number of what was read, and reads as much at once as it has places.
type shelf struct {
	places chan struct{}
	kept   *lru.Cache[shelved, keptBytes]
}

type keptBytes struct {
	raw   []byte
	until time.Time
}

func newShelf(size, atOnce int) *shelf {
	kept, err := lru.New[shelved, keptBytes](size)
	if err != nil {
		panic(err) // the size is positive
	}
	return &shelf{places: make(chan struct{}, atOnce), kept: kept}
}

func (s *shelf) find(what shelved) ([]byte, bool) {
	k, ok := s.kept.Get(what)
	return k.raw, ok && time.Now().Before(k.until)
}

// take returns what is kept, or reads it.
func (s *shelf) take(ctx context.Context, what shelved, read func(context.Context) ([]byte, error)) ([]byte, error) {
	if raw, ok := s.find(what); ok {
		return raw, nil
	}
	select {
	case s.places <- struct{}{}:
		defer func() { <-s.places }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if raw, ok := s.find(what); ok { // by who had the place before
		return raw, nil
	}
	raw, err := read(ctx)
	if err == nil && len(raw) <= largeBundle {
		s.kept.Add(what, keptBytes{raw, time.Now().Add(keepTile)})
	}
	return raw, err
}
