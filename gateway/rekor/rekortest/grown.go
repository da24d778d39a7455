// SPDX-License-Identifier: Apache-2.0

package rekortest

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api/layout"
	"golang.org/x/mod/sumdb/note"
)

// Grown is the reading side of a log of any size. Its entries are made up when they are read, and are the same in each
// bundle, but for those that are placed: so ten million of them take no memory.
type Grown struct {
	signer   note.Signer
	verifier note.Verifier
	keyID    []byte
	reads    *httptest.Server

	mu      sync.Mutex // guards what follows
	size    uint64
	placed  map[uint64][]byte
	indexes []uint64             // of placed, sorted
	nodes   map[[2]uint64][]byte // hashes above placed entries, by height and index
	filler  [][]byte             // hashes above no placed entry, by height
	bundles int                  // how many bundles were read
}

// StartGrown starts a log of size entries.
func StartGrown(t testing.TB, size uint64) *Grown {
	t.Helper()
	g := &Grown{size: size, placed: map[uint64][]byte{}, nodes: map[[2]uint64][]byte{}}
	g.signer, g.verifier, g.keyID = newLogKey(t, Origin)
	g.reads = httptest.NewServer(http.HandlerFunc(g.serveResource))
	t.Cleanup(g.reads.Close)
	return g
}

// ReadURL is the base URL of the tiles.
func (g *Grown) ReadURL() string { return g.reads.URL }

// Origin is the checkpoints' origin.
func (g *Grown) Origin() string { return Origin }

// Verifier verifies the checkpoints.
func (g *Grown) Verifier() note.Verifier { return g.verifier }

// KeyID is the log's id in a trusted root.
func (g *Grown) KeyID() []byte { return g.keyID }

// Bundles returns how many entry bundles were read so far.
func (g *Grown) Bundles() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.bundles
}

// Grow makes the log size entries long, with bodies at their indexes, which are not below the size before.
func (g *Grown) Grow(size uint64, bodies map[uint64][]byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for index, body := range bodies {
		g.placed[index] = body
		g.indexes = append(g.indexes, index)
	}
	slices.Sort(g.indexes)
	g.size = size
	clear(g.nodes)
}

func (g *Grown) body(index uint64) []byte {
	if body, ok := g.placed[index]; ok {
		return body
	}
	return fmt.Appendf(nil, "entry of somebody else's, number %d of its bundle", index%layout.EntryBundleWidth)
}

// node returns the hash of a node, of height 0 for a leaf.
func (g *Grown) node(height, index uint64) []byte {
	if height == 0 {
		return rfc6962.DefaultHasher.HashLeaf(g.body(index))
	}
	at, placed := slices.BinarySearch(g.indexes, index<<height)
	placed = placed || at < len(g.indexes) && g.indexes[at] < (index+1)<<height
	switch {
	case placed && g.nodes[[2]uint64{height, index}] == nil:
		g.nodes[[2]uint64{height, index}] = g.hashChildren(height, index)
		fallthrough
	case placed:
		return g.nodes[[2]uint64{height, index}]
	case height < layout.TileHeight: // the entries of a bundle are not all the same
		return g.hashChildren(height, index)
	}
	for uint64(len(g.filler)) <= height-layout.TileHeight {
		h := layout.TileHeight + uint64(len(g.filler))
		if h == layout.TileHeight {
			g.filler = append(g.filler, g.hashChildren(h, index))
			continue
		}
		below := g.filler[len(g.filler)-1]
		g.filler = append(g.filler, rfc6962.DefaultHasher.HashChildren(below, below))
	}
	return g.filler[height-layout.TileHeight]
}

func (g *Grown) hashChildren(height, index uint64) []byte {
	return rfc6962.DefaultHasher.HashChildren(g.node(height-1, 2*index), g.node(height-1, 2*index+1))
}

func (g *Grown) serveResource(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/")
	if path == layout.CheckpointPath {
		_, _ = w.Write(g.checkpoint())
		return
	}
	level, rest, _ := strings.Cut(strings.TrimPrefix(path, "tile/"), "/")
	if level == "entries" {
		index, partial, err := layout.ParseTileIndexPartial(rest)
		if err != nil || index*layout.EntryBundleWidth+tileWidth(partial) > g.size {
			http.NotFound(w, r)
			return
		}
		g.bundles++
		_, _ = w.Write(g.encodeBundle(index, partial))
		return
	}
	l, index, partial, err := layout.ParseTileLevelIndexPartial(level, rest)
	if err != nil || l > 7 || index*layout.TileWidth+tileWidth(partial) > g.size>>(l*layout.TileHeight) {
		http.NotFound(w, r)
		return
	}
	for i := range tileWidth(partial) {
		_, _ = w.Write(g.node(l*layout.TileHeight, index*layout.TileWidth+i))
	}
}

func (g *Grown) encodeBundle(index uint64, partial uint8) (raw []byte) {
	for i := range tileWidth(partial) {
		body := g.body(index*layout.EntryBundleWidth + i)
		raw = binary.BigEndian.AppendUint16(raw, uint16(len(body)))
		raw = append(raw, body...)
	}
	return raw
}

func (g *Grown) checkpoint() []byte {
	var nodes [][]byte
	for _, id := range compact.RangeNodes(0, g.size, nil) {
		nodes = append(nodes, g.node(uint64(id.Level), id.Index))
	}
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	r, err := factory.NewRange(0, g.size, nodes)
	must(err)
	root, err := r.GetRootHash(nil)
	must(err)
	return signCheckpoint(g.signer, log.Checkpoint{Origin: Origin, Size: g.size, Hash: root})
}
