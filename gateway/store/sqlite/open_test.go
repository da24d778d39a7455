// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

func wantMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != want {
		t.Errorf("mode of %s is %o, want %o", path, got, want)
	}
}

// TestFile: only the owner may read, and no character of the path means anything.
func TestFile(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new", "folder")
	path := filepath.Join(folder, "a?mode=memory&b#c%41 d'.db")
	s := open(t, path, Options{})
	if _, err := s.Enqueue(t.Context(), batches(1)[0]); err != nil {
		t.Fatal(err)
	}
	wantMode(t, folder, 0o700)
	for _, suffix := range []string{"", "-wal", "-shm", incarnationSuffix, lockSuffix} {
		wantMode(t, path+suffix, 0o600)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a log is left after closing: %v", err)
	}
	checkFile(t, path)
}

// TestSettings: a setting that SQLite does not know is ignored in silence, so ask.
func TestSettings(t *testing.T) {
	s := open(t, "", Options{})
	for setting, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000",
		"fullfsync": "1", "cache_size": "-16384", "wal_autocheckpoint": "8192", "journal_size_limit": "67108864",
	} {
		var got string
		if err := s.writer.QueryRow("PRAGMA " + setting).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q (%v), want %q", setting, got, err, want)
		}
	}
	if _, err := s.readers.Exec("DELETE FROM fork"); err == nil {
		t.Error("a reader may write")
	}
}

// TestOpenAtOnce: all that open a new file at the same time get the same tables.
func TestOpenAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			s, err := Open(t.Context(), path, Options{})
			if err != nil {
				t.Error(err)
				return
			}
			if s.Incarnation().Restored {
				t.Error("restored")
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s := open(t, path, Options{})
	if s.Incarnation().Restored {
		t.Error("restored")
	}
	var versions int
	if err := s.writer.QueryRow(`SELECT COUNT(*) FROM goose_db_version WHERE version_id = 1`).Scan(&versions); err != nil || versions != 1 {
		t.Errorf("migrated %d times: %v", versions, err)
	}
}

func TestOpenLogsMigrations(t *testing.T) {
	var out bytes.Buffer
	path := filepath.Join(t.TempDir(), "store.db")
	logger := slog.New(slog.NewTextHandler(&out, nil))
	for range 2 {
		if err := open(t, path, Options{Logger: logger}).Close(); err != nil {
			t.Fatal(err)
		}
	}
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	// One more is written in Go.
	if n := strings.Count(out.String(), "store migrated"); n != len(files)+1 {
		t.Errorf("%d migrations logged:\n%s", n, &out)
	}
}

func TestOpenNewer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, Options{})
	if _, err := s.writer.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)`); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, Options{}); err == nil || !strings.Contains(err.Error(), "newer release") {
		t.Errorf("opening a file of a newer release: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	folder := t.TempDir()
	junk := filepath.Join(folder, "junk")
	content := bytes.Repeat([]byte("not a database "), 500)
	if err := os.WriteFile(junk, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"no path": "", "folder": folder, "not a database": junk, "file for a folder": filepath.Join(junk, "store.db"),
	} {
		if s, err := Open(t.Context(), path, Options{}); err == nil {
			s.Close()
			t.Errorf("%s: opened", name)
		}
	}
	if got, err := os.ReadFile(junk); err != nil || !bytes.Equal(got, content) {
		t.Errorf("a file that is no database was changed: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, filepath.Join(folder, "store.db"), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("opening with a context that has ended: %v", err)
	}
}

// TestTwoStores: two processes share a file, so far as locks go like two stores here.
func TestTwoStores(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	a, b := open(t, path, Options{}), open(t, path, Options{})
	subs := batches(1)[0]
	if _, err := a.Enqueue(t.Context(), subs); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	fences := make(map[int64]int64)
	var wg sync.WaitGroup
	for _, s := range []*Store{a, b, a, b} {
		wg.Go(func() {
			for range 8 {
				claimed, err := s.Claim(t.Context(), gateway.ClaimParams{Log: "log", Lease: time.Hour, Limit: 10, InFlight: 200})
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				for _, e := range claimed {
					if _, twice := fences[e.ID]; twice {
						t.Errorf("entry %d was leased twice", e.ID)
					}
					fences[e.ID] = e.Fence
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(fences) != 200 {
		t.Errorf("%d entries leased, the bound is 200", len(fences))
	}
}

// TestWaitForLock: a call that waits for another process's transaction ends with its context.
func TestWaitForLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	a, b := open(t, path, Options{}), open(t, path, Options{})
	held, err := a.writer.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	started := time.Now()
	subs := batches(1)[0][:1]
	if _, err := b.Enqueue(ctx, subs); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("enqueuing while locked: %v", err)
	}
	if took := time.Since(started); took > 4*time.Second {
		t.Errorf("waited %v for 50ms", took)
	}
	time.AfterFunc(50*time.Millisecond, func() { held.Rollback() })
	if out, err := b.Enqueue(t.Context(), subs); err != nil || out[0].Err != nil || out[0].Submission.Existing {
		t.Errorf("enqueuing once the lock is free: %v", err)
	}
}

func TestClosed(t *testing.T) {
	s := open(t, "", Options{})
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	c := gateway.Checkpoint{Envelope: []byte("c")}
	_, enqueue := s.Enqueue(ctx, batches(1)[0])
	_, claim := s.Claim(ctx, gateway.ClaimParams{Lease: time.Hour, Limit: 1, InFlight: 1})
	_, finish := s.Finish(ctx, []gateway.Outcome{{Fail: true}})
	const id = "0190a6c3-0000-7000-8000-000000000000"
	_, get := s.Get(ctx, "", id)
	_, archived := s.Archived(ctx, "", id)
	_, byLeaf := s.ByLeaf(ctx, "", "", gateway.LeafHash{})
	_, _, list := s.List(ctx, "", gateway.ListParams{})
	_, stats := s.Stats(ctx)
	_, checkpoint := s.Checkpoint(ctx, gateway.Shard{})
	_, keep := s.KeepCheckpoint(ctx, gateway.Shard{}, nil, c)
	_, forks := s.Forks(ctx)
	for name, err := range map[string]error{
		"Enqueue": enqueue, "Claim": claim, "Finish": finish, "Get": get, "Archived": archived, "ByLeaf": byLeaf, "List": list, "Stats": stats, "Checkpoint": checkpoint,
		"KeepCheckpoint": keep, "KeepFork": s.KeepFork(ctx, gateway.Fork{Small: c, Large: c}),
		"Forked": s.Forked(ctx, gateway.Shard{}), "Forks": forks,
	} {
		if err == nil {
			t.Errorf("%s works on a closed store", name)
		}
		for _, sentinel := range []error{gateway.ErrNotFound, gateway.ErrFork, gateway.ErrLeaseLost, gateway.ErrQueueFull} {
			if errors.Is(err, sentinel) {
				t.Errorf("%s on a closed store says %v", name, err)
			}
		}
	}
}

// TestNoGoroutinesLeft: cancelled and finished calls, and Close, leave nothing running.
func TestNoGoroutinesLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	s := open(t, "", Options{})
	for i := range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*time.Millisecond)
		s.Enqueue(ctx, []gateway.NewSubmission{storetest.NewSubmission("tenant", "x", "log")})
		s.List(ctx, "tenant", gateway.ListParams{})
		cancel()
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
		time.Sleep(time.Millisecond)
	}
}

// TestDiskFull: a transaction that finds no room changes nothing, and the store works on
// once there is room again.
func TestDiskFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, Options{})
	limit := func(pages string) {
		if _, err := s.writer.Exec("PRAGMA max_page_count = " + pages); err != nil {
			t.Fatal(err)
		}
	}
	subs := batches(2)
	if _, err := s.Enqueue(t.Context(), subs[0]); err != nil {
		t.Fatal(err)
	}
	limit("1") // as many as there are
	if _, err := s.Enqueue(t.Context(), subs[1]); err == nil {
		t.Fatal("enqueued into a full file")
	}
	checkFile(t, path)
	limit("1000000")
	out, err := s.Enqueue(t.Context(), subs[1])
	if err != nil || out[0].Err != nil || out[0].Submission.Existing {
		t.Errorf("enqueuing with room again: %v", err)
	}
	checkFile(t, path)
}

// Another program's database is left as it is.
func TestForeignFileIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.db")
	db := connect(t, "file://"+path)
	if _, err := db.Exec(`CREATE TABLE bookmarks (x)`); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(t.Context(), path, Options{}); err == nil {
		_ = s.Close()
		t.Error("opened")
	}
	var tables int
	if err := db.QueryRow(`SELECT COUNT(*) FROM sqlite_master`).Scan(&tables); err != nil || tables != 1 {
		t.Errorf("%d tables in it, %v", tables, err)
	}
}
