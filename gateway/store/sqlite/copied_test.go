// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// fillCopied makes a store at path whose pending entries were sent an hour ago, and never, and closes it.
func fillCopied(t *testing.T, path string) {
	t.Helper()
	s := open(t, path, Options{Now: func() time.Time { return time.Now().Add(-time.Hour) }})
	keepSize(t, s, 5)
	enqueueOne(t, s, "sent")
	claim(t, s)
	enqueueOne(t, s, "new")
	must(t, s.Close())
}

// wantSentNow checks that what is in doubt counts as sent a moment ago.
func wantSentNow(t *testing.T, s *Store, want int) {
	t.Helper()
	doubts, err := s.Doubtful(t.Context(), gateway.DoubtParams{Log: "log", Shard: doubtShard, Limit: 9})
	if err != nil || len(doubts) != want {
		t.Fatalf("in doubt: %+v, %v; want %d", doubts, err, want)
	}
	for _, d := range doubts {
		if time.Since(d.LastSentAt) > time.Minute {
			t.Errorf("in doubt: %+v", d)
		}
	}
}

// TestCopyCounts: what is pending in a store that was put back counts as sent until then, also for a process that does not see that it was, since another
// one has opened the store before.
func TestCopyCounts(t *testing.T) {
	for name, putBack := range map[string]func(t *testing.T, path string){
		"file": func(t *testing.T, path string) {
			copyFile(t, path, path+".copy")
			live(t, path)
			live(t, path)
			copyFile(t, path+".copy", path)
		},
		"folder": func(t *testing.T, path string) {
			folder := filepath.Dir(path)
			must(t, os.CopyFS(folder+".copy", os.DirFS(folder)))
			must(t, os.RemoveAll(folder))
			must(t, os.CopyFS(folder, os.DirFS(folder+".copy")))
		},
		"backup": func(t *testing.T, path string) {
			backup, _ := backUp(t, path)
			_, err := Restore(t.Context(), backup, path, RestoreOptions{Force: true})
			must(t, err)
		},
	} {
		for _, opened := range []string{"first", "second, before it was looked through", "second"} {
			t.Run(name+"/"+opened, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "data", "store.db")
				fillCopied(t, path)
				if name == "folder" && readBirth(path) == 0 {
					t.Skip("this file system does not say when a file was made")
				}
				putBack(t, path)
				if opened != "first" {
					s := open(t, path, Options{})
					if opened == "second" {
						_, err := s.DoubtPending(t.Context(), "log", doubtShard)
						must(t, err)
					}
					must(t, s.Close())
				}
				s := open(t, path, Options{})
				_, err := s.DoubtPending(t.Context(), "log", doubtShard)
				must(t, err)
				wantSentNow(t, s, 2)
			})
		}
	}
}

// TestRestartIsNoCopy: what was sent before a restart counts from when it was sent, and what never was does not count as sent.
func TestRestartIsNoCopy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	fillCopied(t, path)
	s := open(t, path, Options{})
	putInDoubt(t, s, 1)
	doubts, err := s.Doubtful(t.Context(), gateway.DoubtParams{Log: "log", Shard: doubtShard, Limit: 9})
	if err != nil || len(doubts) != 2 || !doubts[1].LastSentAt.IsZero() || time.Since(doubts[0].LastSentAt) < 50*time.Minute {
		t.Errorf("in doubt: %+v, %v", doubts, err)
	}
}

// TestCopyDoubtedInCrash: a crash after the file beside the store names this opening, and before the store does, leaves a copy a copy.
func TestCopyDoubtedInCrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	fillCopied(t, path)
	must(t, os.Remove(path+incarnationSuffix))
	failing(t, path, `CREATE TRIGGER crash BEFORE UPDATE ON incarnation BEGIN SELECT RAISE(FAIL, 'crash'); END`)
	if s, err := Open(t.Context(), path, Options{}); err == nil {
		t.Fatal("opened", s.Close())
	}
	failing(t, path, `DROP TRIGGER crash`)
	s := open(t, path, Options{})
	_, err := s.DoubtPending(t.Context(), "log", doubtShard)
	must(t, err)
	wantSentNow(t, s, 2)
}

// failing changes the file at path beside all stores.
func failing(t *testing.T, path, statement string) {
	t.Helper()
	db := connect(t, path)
	_, err := db.Exec(statement)
	must(t, errors.Join(err, db.Close()))
}

// TestDoubtElsewhere: what was sent to another shard before the copy was made, and came back from it, may have been sent to the current one since.
func TestDoubtElsewhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, Options{})
	former := gateway.Shard{Origin: "former.example", KeyID: [32]byte{2}}
	keepSize(t, s, 5)
	enqueueOne(t, s, "came back")
	enqueueOne(t, s, "in doubt")
	claimed, err := s.Claim(t.Context(), gateway.ClaimParams{Log: "log", Lease: time.Minute, Limit: 2, InFlight: 9, Shard: former, TreeSize: 700})
	if err != nil || len(claimed) != 2 {
		t.Fatal(claimed, err)
	}
	for i, inDoubt := range []bool{false, true} {
		o := gateway.Outcome{EntryID: claimed[i].ID, Fence: claimed[i].Fence, Retry: true, InDoubt: inDoubt, Problem: "UNAVAILABLE"}
		_, err := s.Finish(t.Context(), []gateway.Outcome{o})
		must(t, err)
	}
	must(t, s.Close())
	must(t, os.Remove(path+incarnationSuffix))
	s = open(t, path, Options{})
	keepSize(t, s, 90)
	putInDoubt(t, s, 1)
	wantSearched(t, s, 5)
	counts, err := s.CountDoubtful(t.Context(), "log")
	if err != nil || counts[doubtShard] != 1 || counts[former] != 1 {
		t.Errorf("in doubt: %v, %v", counts, err)
	}
}
