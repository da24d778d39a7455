// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	driver "modernc.org/sqlite"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// openFirstSchema makes a store file as the first release left it, with the rows of insert.
func openFirstSchema(t *testing.T, insert string, args ...any) *Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.db")
	connector, err := driver.NewConnector(writerDSN(path))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	provider, err := newProvider(db)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(insert, args...); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { checkFile(t, path) })
	return open(t, path, Options{})
}

func atSize(size uint64, note string) gateway.Checkpoint {
	return gateway.Checkpoint{Size: size, Root: [32]byte{byte(size)}, Envelope: []byte(note)}
}

// shardOf is the shard of origin "log" with a key.
func shardOf(key byte) gateway.Shard { return gateway.Shard{Origin: "log", KeyID: [32]byte{key}} }

func wantCheckpoint(t *testing.T, s *Store, shard gateway.Shard, want *gateway.Checkpoint) {
	t.Helper()
	if got, err := s.Checkpoint(t.Context(), shard); err != nil || !got.Equal(want) {
		t.Errorf("checkpoint of %s, key %d is %v, %v; want %v", shard.Origin, shard.KeyID[0], got, err, want)
	}
}

// TestCheckpointOfFirstSchema: a checkpoint whose key was not stored holds for all keys of its
// origin, until the first one is kept in its place.
func TestCheckpointOfFirstSchema(t *testing.T) {
	old, other := atSize(10, "old"), atSize(3, "other")
	s := openFirstSchema(t, `INSERT INTO checkpoint (origin, size, root, envelope) VALUES ('log', 10, ?, CAST('old' AS BLOB)), ('other', 3, ?, CAST('other' AS BLOB))`,
		old.Root[:], other.Root[:])
	for key := range byte(3) {
		wantCheckpoint(t, s, shardOf(key), &old)
	}
	next := atSize(12, "next")
	for _, stale := range []*gateway.Checkpoint{nil, &next} {
		if kept, err := s.KeepCheckpoint(t.Context(), shardOf(1), stale, next); err != nil || !kept.Equal(&old) {
			t.Fatalf("kept %v, %v", kept, err)
		}
	}
	if kept, err := s.KeepCheckpoint(t.Context(), shardOf(1), &old, next); err != nil || !kept.Equal(&next) {
		t.Fatalf("kept %v, %v", kept, err)
	}
	wantCheckpoint(t, s, shardOf(1), &next)
	wantCheckpoint(t, s, shardOf(2), nil)
	wantCheckpoint(t, s, gateway.Shard{Origin: "other", KeyID: [32]byte{1}}, &other)
	if n := count(t, s, `SELECT COUNT(*) FROM checkpoint WHERE origin = 'log'`); n != 1 {
		t.Errorf("%d rows of one shard", n)
	}
}

// TestForkOfFirstSchema: a fork whose key was not stored holds for all keys of its origin for
// ever, whatever is kept later. Its proof is not known, and is not made up.
func TestForkOfFirstSchema(t *testing.T) {
	a, b, c := atSize(10, "a"), atSize(12, "b"), gateway.Checkpoint{Size: 10, Root: [32]byte{99}, Envelope: []byte("c")}
	s := openFirstSchema(t, `
INSERT INTO fork (origin, found_at, a_size, a_root, a_envelope, b_size, b_root, b_envelope)
VALUES ('log', 1700000000000, 10, ?1, ?2, 12, ?3, ?4), ('log', 1700000000001, 10, ?1, ?2, 10, ?5, ?6)`,
		a.Root[:], a.Envelope, b.Root[:], b.Envelope, c.Root[:], c.Envelope)
	cp := atSize(20, "twenty")
	for key := range byte(2) {
		if _, err := s.KeepCheckpoint(t.Context(), shardOf(key), nil, cp); err != nil {
			t.Fatal(err)
		}
	}
	for key := range byte(3) {
		if err := s.Forked(t.Context(), shardOf(key)); !errors.Is(err, gateway.ErrFork) {
			t.Errorf("key %d: %v", key, err)
		}
	}
	if err := s.Forked(t.Context(), gateway.Shard{Origin: "other"}); err != nil {
		t.Error(err)
	}
	forks, err := s.Forks(t.Context())
	if err != nil || len(forks) != 2 {
		t.Fatalf("forks %v, %v", forks, err)
	}
	for i, large := range []gateway.Checkpoint{b, c} {
		f := forks[i]
		if f.Origin != "log" || f.KeyID != [32]byte{} || !f.Small.Equal(&a) || !f.Large.Equal(&large) || f.Consistency != nil {
			t.Errorf("fork %+v", f)
		}
	}
	if forks[0].PrefixRoot != [32]byte{} || forks[1].PrefixRoot != c.Root {
		t.Errorf("prefix roots %x and %x", forks[0].PrefixRoot, forks[1].PrefixRoot)
	}
	if n := count(t, s, `SELECT COUNT(*) FROM fork WHERE found_at IN (1700000000000, 1700000000001)`); n != 2 {
		t.Error("the time of finding is lost")
	}
}

func count(t *testing.T, s *Store, query string) (n int) {
	t.Helper()
	if err := s.readers.QueryRow(query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestForkFoundAt: the time of finding is stored, in milliseconds, and stays that of the first.
func TestForkFoundAt(t *testing.T) {
	s := open(t, "", Options{})
	before := time.Now().UnixMilli()
	f := gateway.Fork{Shard: shardOf(1), Small: atSize(1, "a"), Large: atSize(2, "b")}
	if err := s.KeepFork(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	var first, again int64
	const query = `SELECT found_at FROM fork`
	if err := s.readers.QueryRow(query).Scan(&first); err != nil || first < before-1 || first > time.Now().UnixMilli()+1 {
		t.Errorf("found at %d, %v", first, err)
	}
	if err := s.KeepFork(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if err := s.readers.QueryRow(query).Scan(&again); err != nil || again != first {
		t.Errorf("found at %d, then %d: %v", first, again, err)
	}
}

// TestTwoStoresKeepOne: of two processes that each would keep a first checkpoint, one is first
// and the other is told.
func TestTwoStoresKeepOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	stores := []*Store{open(t, path, Options{}), open(t, path, Options{})}
	var wg sync.WaitGroup
	kept := make([]*gateway.Checkpoint, 16)
	for i := range kept {
		wg.Go(func() {
			var err error
			kept[i], err = stores[i%2].KeepCheckpoint(t.Context(), shardOf(1), nil, atSize(uint64(i), fmt.Sprint(i)))
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, k := range kept {
		if k == nil || !bytes.Equal(k.Envelope, kept[0].Envelope) {
			t.Fatalf("one was told that %v is kept, another %v", k, kept[0])
		}
	}
}
