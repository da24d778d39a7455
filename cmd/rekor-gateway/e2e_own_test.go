// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	checkpoint "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/note"

	"github.com/rekor-gateway/rekor-gateway/gateway/attest"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// ownLogs are the own logs of gateways that share a store, each of which takes over from the one before, and what was seen of them.
type ownLogs struct {
	t   *testing.T
	dir string // of the keys

	mu    sync.Mutex // guards what follows
	keys  []ownKeys
	roots map[string]map[uint64][]byte // by tree and size, as anybody has ever been shown them
	polls int
}

// ownKeys are of one own log.
type ownKeys struct {
	config.OwnLog
	verifier note.Verifier
	anchor   []byte // SPKI, in base64
}

func newOwnLogs(t *testing.T) *ownLogs {
	o := &ownLogs{t: t, dir: t.TempDir(), roots: map[string]map[uint64][]byte{}}
	o.rotate()
	return o
}

// rotate has gateways that start from now on have another own log, as docs/operations.md says.
func (o *ownLogs) rotate() {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(o.keys) + 1
	k := ownKeys{OwnLog: config.OwnLog{
		Origin: fmt.Sprintf("chaos.example/own-%d", n), Key: filepath.Join(o.dir, fmt.Sprint("own", n)), AnchorKey: filepath.Join(o.dir, fmt.Sprint("anchor", n)),
		AnchorEvery: time.Second,
	}}
	for _, before := range o.keys {
		k.Closed = append(k.Closed, before.Origin)
	}
	k.verifier = must(note.NewVerifier(must(attest.LoadCheckpointSigner(k.Key, k.Origin, true)).VerifierKey()))
	k.anchor = []byte(base64.StdEncoding.EncodeToString(must(attest.LoadAnchorSigner(k.AnchorKey, true)).SPKI()))
	o.keys = append(o.keys, k)
}

// config returns the own log of a gateway that starts now.
func (o *ownLogs) config() config.OwnLog {
	all := o.listKeys()
	return all[len(all)-1].OwnLog
}

func (o *ownLogs) listKeys() []ownKeys {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]ownKeys(nil), o.keys...)
}

// watch reads checkpoints until stop is closed.
func (o *ownLogs) watch(pick func(*rand.Rand) *deployment, random *rand.Rand, stop <-chan struct{}) {
	for ; !isClosed(stop); time.Sleep(50 * time.Millisecond) {
		for _, k := range o.listKeys() {
			o.readCheckpoint(pick(random), k)
		}
	}
}

// readCheckpoint notes the checkpoint that a gateway shows, if it shows one, and reads the first records.
func (o *ownLogs) readCheckpoint(g *deployment, k ownKeys) {
	raw, ok := fetchOwn(g.url + "/own/" + k.ID() + "/checkpoint")
	if !ok {
		return
	}
	c, _, _, err := checkpoint.ParseCheckpoint(raw, k.Origin, k.verifier)
	if err != nil {
		o.t.Errorf("a checkpoint of %s: %v\n%s", k.Origin, err, raw)
		return
	}
	o.noteRoot(k.ID(), c)
	_, _ = fetchOwn(fmt.Sprintf("%s/own/%s/tile/entries/000.p/1", g.url, k.ID()))
	_, _ = fetchOwn(fmt.Sprintf("%s/own/%s/tile/0/000.p/1", g.url, k.ID()))
}

func fetchOwn(url string) ([]byte, bool) {
	resp, err := http.Get(url)
	if err != nil {
		return nil, false
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return raw, err == nil && resp.StatusCode == http.StatusOK
}

func (o *ownLogs) noteRoot(tree string, c *checkpoint.Checkpoint) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.polls++
	if o.roots[tree] == nil {
		o.roots[tree] = map[uint64][]byte{}
	}
	if before, ok := o.roots[tree][c.Size]; ok && !bytes.Equal(before, c.Hash) {
		o.t.Errorf("own log %s has shown two roots of %d records: %x and %x", tree, c.Size, before, c.Hash)
	}
	o.roots[tree][c.Size] = c.Hash
}

// readTrees returns how often each leaf is in each tree that a gateway serves, and holds all roots that were ever shown to the trees: those of
// sizes that a store has forgotten have stood alone.
func (o *ownLogs) readTrees(t *testing.T, g *deployment) map[string]map[string]int {
	t.Helper()
	all, checked := map[string]map[string]int{}, 0
	for _, k := range o.listKeys() {
		o.readCheckpoint(g, k)
		all[k.ID()] = o.readTree(t, g, k, &checked)
	}
	t.Logf("own logs: %d trees, %d checkpoints read, %d of their roots made again from the records", len(all), o.polls, checked)
	return all
}

func (o *ownLogs) readTree(t *testing.T, g *deployment, k ownKeys, checked *int) map[string]int {
	t.Helper()
	counts := map[string]int{}
	base := g.url + "/own/" + k.ID() + "/"
	if _, ok := fetchOwn(base + "checkpoint"); !ok {
		return counts // nothing was ever anchored
	}
	fetcher := must(client.NewHTTPFetcher(must(url.Parse(base)), http.DefaultClient))
	cp, _, _, err := client.FetchCheckpoint(t.Context(), fetcher.ReadCheckpoint, k.verifier, k.Origin)
	if err != nil {
		t.Fatal(err)
	}
	tree := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	for index := uint64(0); index*256 < cp.Size; index++ {
		var bundle api.EntryBundle
		raw := must(fetcher.ReadEntryBundle(context.Background(), index, uint8(min(256, cp.Size-index*256)%256)))
		if err := bundle.UnmarshalText(raw); err != nil {
			t.Fatal(err)
		}
		for _, body := range bundle.Entries {
			leaf := rfc6962.DefaultHasher.HashLeaf(body)
			counts[hex.EncodeToString(leaf)]++
			if err := tree.Append(leaf, nil); err != nil {
				t.Fatal(err)
			}
			root := must(tree.GetRootHash(nil))
			if seen := o.roots[k.ID()][tree.End()]; seen != nil {
				*checked++
				if !bytes.Equal(seen, root) {
					t.Errorf("own log %s has shown another root of %d records than its own", k.Origin, tree.End())
				}
			}
		}
	}
	return counts
}

// isAnchor reports whether an entry of another log is an anchor of these.
func (o *ownLogs) isAnchor(body []byte) bool {
	if o == nil {
		return false
	}
	for _, k := range o.listKeys() {
		if bytes.Contains(body, k.anchor) {
			return true
		}
	}
	return false
}
