// SPDX-License-Identifier: Apache-2.0

package tiletree

import (
	"fmt"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/mod/sumdb/tlog"
)

// What a Prover remembers takes some 10 MiB at most.
const (
	keptHashes = 1 << 15
	keptData   = 512 // tiles, of 8 KiB each
)

// Prover makes inclusion proofs in the states of one log, each of which goes on from those before. It remembers hashes, and tiles that were
// checked against a root: both stay what they are as the log grows, and proofs of neighbours have most of them in common. It is safe for
// concurrent use.
type Prover struct {
	hashes *lru.Cache[int64, tlog.Hash]  // by their storage index
	tiles  *lru.Cache[tilePlace, []byte] // as wide as they were read
}

type tilePlace struct {
	level int
	index int64
}

// NewProver returns one that remembers nothing yet.
func NewProver() *Prover {
	p := &Prover{}
	p.hashes, _ = lru.New[int64, tlog.Hash](keptHashes) // fails for sizes below one
	p.tiles, _ = lru.New[tilePlace, []byte](keptData)
	return p
}

// ProveInclusion returns the inclusion proof of a record in t (RFC 6962, section 2.1.1). Errors are as AppendRecords'.
func (p *Prover) ProveInclusion(t Tree, index uint64, read ReadTiles) ([][HashSize]byte, error) {
	if index >= t.Size || t.Size > maxSize {
		return nil, fmt.Errorf("proving a record: there is no record %d of %d", index, t.Size)
	}
	tiles := newGrowing(t, read)
	tiles.tiles.confirm = p.noteTile
	proof, err := tlog.ProveRecord(int64(t.Size), int64(index), tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		return p.readHashes(indexes, tiles)
	}))
	if err != nil {
		return nil, fmt.Errorf("proving a record: %w", err)
	}
	return convertProof(proof), nil
}

// noteTile remembers a tile that is known to be one of the log.
func (p *Prover) noteTile(t tlog.Tile, data []byte) {
	place := tilePlace{t.L, t.N}
	if before, ok := p.tiles.Peek(place); !ok || len(before) < len(data) {
		p.tiles.Add(place, data)
	}
}

// readHashes reads from tiles what is not remembered.
func (p *Prover) readHashes(indexes []int64, tiles tlog.HashReader) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	var missing []int64
	var places []int
	for i, index := range indexes {
		hash, ok := p.recall(index)
		if !ok {
			missing, places = append(missing, index), append(places, i)
			continue
		}
		out[i] = hash
	}
	if len(missing) == 0 {
		return out, nil
	}
	read, err := tiles.ReadHashes(missing)
	if err != nil {
		return nil, err
	}
	for i, hash := range read {
		out[places[i]] = hash
		p.hashes.Add(missing[i], hash)
	}
	return out, nil
}

// recall returns a hash that is remembered, or that is in a tile that is.
func (p *Prover) recall(index int64) (tlog.Hash, bool) {
	if hash, ok := p.hashes.Get(index); ok {
		return hash, true
	}
	t := tlog.TileForIndex(TileHeight, index)
	data, ok := p.tiles.Get(tilePlace{t.L, t.N})
	if !ok || len(data) < t.W*HashSize {
		return tlog.Hash{}, false
	}
	hash, err := tlog.HashFromTile(t, data[:t.W*HashSize], index)
	if err != nil {
		return tlog.Hash{}, false
	}
	p.hashes.Add(index, hash)
	return hash, true
}
