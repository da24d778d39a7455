// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

var doubtShard = gateway.Shard{Origin: "log.example", KeyID: [32]byte{1}}

func keepSize(t *testing.T, s *Store, size uint64) {
	t.Helper()
	old, err := s.Checkpoint(t.Context(), doubtShard)
	must(t, err)
	_, err = s.KeepCheckpoint(t.Context(), doubtShard, old, gateway.Checkpoint{Size: size, Envelope: []byte("note")})
	must(t, err)
}

func enqueueOne(t *testing.T, s *Store, name string) {
	t.Helper()
	_, err := s.Enqueue(t.Context(), []gateway.NewSubmission{storetest.NewSubmission("tenant", name, "log")})
	must(t, err)
}

func putInDoubt(t *testing.T, s *Store, want int) {
	t.Helper()
	if n, err := s.DoubtPending(t.Context(), "log", doubtShard); err != nil || n != want {
		t.Fatalf("%d put in doubt, %v; want %d", n, err, want)
	}
}

// wantSearched checks from where on what is in doubt is searched for, in its order.
func wantSearched(t *testing.T, s *Store, want ...uint64) {
	t.Helper()
	storetest.WantSearched(t, s, "log", doubtShard, want...)
}

// TestDoubtFrom: what a store does not know to have been sent is searched for from the checkpoint on that was kept before it was opened, although larger
// ones are kept before the doubts are stored: a gateway reads the log whenever it likes.
func TestDoubtFrom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, Options{})
	reopen := func() {
		t.Helper()
		must(t, s.Close())
		s = open(t, path, Options{})
	}
	keepSize(t, s, 5)
	enqueueOne(t, s, "one")
	reopen()
	keepSize(t, s, 90)
	keepSize(t, s, 95)
	reopen() // nobody has put anything in doubt
	keepSize(t, s, 120)
	putInDoubt(t, s, 1)
	wantSearched(t, s, 5)

	keepSize(t, s, 150)
	enqueueOne(t, s, "two")
	reopen()
	keepSize(t, s, 170)
	keepSize(t, s, 180)
	putInDoubt(t, s, 1)
	wantSearched(t, s, 5, 150)

	reopen()
	keepSize(t, s, 190)
	enqueueOne(t, s, "three")
	backup, _ := backUp(t, path)
	restored := filepath.Join(t.TempDir(), "restored.db")
	_, err := Restore(t.Context(), backup, restored, RestoreOptions{})
	must(t, err)
	s = open(t, restored, Options{})
	keepSize(t, s, 500)
	putInDoubt(t, s, 1)
	wantSearched(t, s, 5, 150, 180)
}

// TestDoubtFromForgotten: where a lease shows that the file is what it was, nothing is in doubt, and nothing is searched for from the
// start of this process on later.
func TestDoubtFromForgotten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, Options{})
	keepSize(t, s, 5)
	enqueueOne(t, s, "sent")
	claim(t, s)
	must(t, s.Close())
	s = open(t, path, Options{})
	keepSize(t, s, 90)
	putInDoubt(t, s, 0)
	keepSize(t, s, 100)
	enqueueOne(t, s, "new")
	must(t, s.Close())
	s = open(t, path, Options{Now: func() time.Time { return time.Now().Add(time.Hour) }})
	keepSize(t, s, 110)
	putInDoubt(t, s, 1)
	wantSearched(t, s, 7, 100)
}

func claim(t *testing.T, s *Store) {
	t.Helper()
	claimed, err := s.Claim(t.Context(), gateway.ClaimParams{Log: "log", Lease: time.Minute, Limit: 1, InFlight: 9, Shard: doubtShard, TreeSize: 7})
	if err != nil || len(claimed) != 1 {
		t.Fatalf("claimed %+v, %v", claimed, err)
	}
}

// TestDoubtFromCopy: leases in a copy of a folder show nothing: what they are of was at work on the one that was copied.
func TestDoubtFromCopy(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	path := filepath.Join(folder, "store.db")
	s := open(t, path, Options{})
	keepSize(t, s, 5)
	enqueueOne(t, s, "sent")
	enqueueOne(t, s, "new")
	claim(t, s)
	must(t, s.Close())
	if readBirth(path) == 0 {
		t.Skip("this file system does not say when a file was made")
	}
	must(t, os.CopyFS(folder+".copy", os.DirFS(folder)))
	must(t, os.RemoveAll(folder))
	must(t, os.CopyFS(folder, os.DirFS(folder+".copy")))
	s = open(t, path, Options{})
	enqueueOne(t, s, "later")
	putInDoubt(t, s, 1)
	wantSearched(t, s, 5)
	claim(t, s) // the later one
}

// TestRotatedSearch: a shard that begins while a process runs, which has nothing pending from before in it, is searched from its last checkpoint on after the
// next start, not from its first.
func TestRotatedSearch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, Options{})
	_, err := s.DoubtPending(t.Context(), "log", gateway.Shard{Origin: "former.example", KeyID: [32]byte{2}})
	must(t, err)
	for _, size := range []uint64{5, 90, 1000} {
		keepSize(t, s, size)
	}
	enqueueOne(t, s, "new")
	must(t, s.Close())
	s = open(t, path, Options{})
	keepSize(t, s, 1100)
	putInDoubt(t, s, 1)
	wantSearched(t, s, 1000)
}
