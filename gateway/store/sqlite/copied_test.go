// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
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

// TestSentSince: what a log refuses goes over to another one, where it may have been sent since the copy was made: it is looked for there first, from the
// checkpoint on that was kept in the oldest copy of which something waits still. What was queued since is sent at once.
func TestSentSince(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, Options{})
	two := gateway.Shard{Origin: "two.example", KeyID: [32]byte{3}}
	keepTwo := func(size uint64) {
		t.Helper()
		old, err := s.Checkpoint(t.Context(), two)
		must(t, err)
		_, err = s.KeepCheckpoint(t.Context(), two, old, gateway.Checkpoint{Size: size, Envelope: []byte("note")})
		must(t, err)
	}
	finishFirst := func(p gateway.ClaimParams, want int, o gateway.Outcome) {
		t.Helper()
		p.Lease, p.Limit, p.InFlight, p.TreeSize = time.Minute, 9, 9, 90
		claimed, err := s.Claim(t.Context(), p)
		if err != nil || len(claimed) != want {
			t.Fatalf("claimed %+v, %v", claimed, err)
		}
		for _, c := range claimed {
			o.EntryID, o.Fence = c.ID, c.Fence
			_, err = s.Finish(t.Context(), []gateway.Outcome{o})
			must(t, err)
		}
	}
	enqueuePlanned := func(name string) {
		t.Helper()
		sub := storetest.NewSubmission("tenant", name, "log")
		sub.Takeover = []string{"log", "two"}
		_, err := s.Enqueue(t.Context(), []gateway.NewSubmission{sub})
		must(t, err)
	}
	toOne, toTwo := gateway.ClaimParams{Log: "log", Shard: doubtShard}, gateway.ClaimParams{Log: "two", Shard: two}
	keepSize(t, s, 5)
	keepTwo(50)
	_, err := s.Enqueue(t.Context(), []gateway.NewSubmission{storetest.NewSubmission("tenant", "other", "two")})
	must(t, err)
	finishFirst(toTwo, 1, gateway.Outcome{Inclusion: storetest.NewInclusion(50)})
	enqueuePlanned("before")
	for range 2 {
		must(t, s.Close())
		must(t, os.Remove(path+incarnationSuffix))
		s = open(t, path, Options{})
		keepTwo(90)
		_, err := s.DoubtPending(t.Context(), "two", two)
		must(t, err)
	}
	putInDoubt(t, s, 1)
	doubts, err := s.Doubtful(t.Context(), gateway.DoubtParams{Log: "log", Shard: doubtShard, Limit: 9})
	must(t, err)
	_, err = s.Settle(t.Context(), []gateway.Settlement{{EntryID: doubts[0].ID, Fence: doubts[0].Fence, AbsentTo: 60, Resend: true}})
	must(t, err)
	time.Sleep(2 * time.Millisecond) // in which queues are ordered
	enqueuePlanned("since")
	finishFirst(toOne, 2, gateway.Outcome{Fail: true, Problem: "REFUSED", Next: []string{"two"}})
	finishFirst(toTwo, 1, gateway.Outcome{Inclusion: storetest.NewInclusion(95)})
	doubts, err = s.Doubtful(t.Context(), gateway.DoubtParams{Log: "two", Shard: two, Limit: 9})
	if err != nil || len(doubts) != 1 || *doubts[0].SentAtTreeSize != 50 || doubts[0].LastSentAt.IsZero() {
		t.Errorf("in doubt: %+v, %v", doubts, err)
	}
}
