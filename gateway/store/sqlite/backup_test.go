// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// backUp backs up the store at path into a new folder.
func backUp(t testing.TB, path string) (folder string, m Manifest) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "backup")
	m, err := Backup(t.Context(), path, folder, BackupOptions{Program: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return folder, m
}

// fill makes a store with n batches of submissions, and closes it.
func fill(t testing.TB, path string, n int) {
	t.Helper()
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, subs := range batches(n) {
		if _, err := s.Enqueue(t.Context(), subs); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestBackupWhileInUse takes backups while 256 rows a transaction are stored, claimed and logged: each is of
// one moment, and has all in it that was acknowledged before it was begun. The work goes on meanwhile.
func TestBackupWhileInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	fill(t, path, 24) // more than a few steps of copying
	s := open(t, path, Options{})
	ctx, stop := context.WithCancel(t.Context())
	var acknowledged, commits atomic.Int64
	acknowledged.Store(24 * batch)
	var working sync.WaitGroup
	defer working.Wait()
	defer stop()
	working.Go(func() { enqueueUntil(ctx, t, s, &acknowledged, &commits) })
	working.Go(func() { finishUntil(ctx, t, s, &commits) })

	for range 3 {
		atLeast, before := acknowledged.Load(), commits.Load()
		folder, m := backUp(t, path)
		during := commits.Load() - before
		if m.Submissions < atLeast || m.Submissions%batch != 0 {
			t.Errorf("%d submissions in the backup, %d were acknowledged, in batches of %d", m.Submissions, atLeast, batch)
		}
		if m.Entries.Pending+m.Entries.Logged != m.Submissions || m.Entries.Logged%batch != 0 {
			t.Errorf("entries in the backup: %+v", m.Entries)
		}
		if during == 0 {
			t.Error("nothing was written during the backup")
		}
		t.Logf("%d submissions, %d transactions meanwhile", m.Submissions, during)
		restored := filepath.Join(t.TempDir(), "store.db")
		if _, err := Restore(t.Context(), folder, restored, RestoreOptions{}); err != nil {
			t.Fatal(err)
		}
		checkFile(t, restored)
	}
}

// enqueueUntil stores batches until ctx ends.
func enqueueUntil(ctx context.Context, t *testing.T, s *Store, acknowledged, commits *atomic.Int64) {
	for ctx.Err() == nil {
		subs := make([]gateway.NewSubmission, batch)
		for i := range subs {
			subs[i] = storetest.NewSubmission("tenant", uuid.NewString(), "log")
		}
		_, err := s.Enqueue(context.WithoutCancel(ctx), subs)
		if err != nil {
			t.Error(err)
			return
		}
		acknowledged.Add(batch)
		commits.Add(1)
	}
}

// finishUntil logs batches until ctx ends.
func finishUntil(ctx context.Context, t *testing.T, s *Store, commits *atomic.Int64) {
	for ctx.Err() == nil {
		ctx := context.WithoutCancel(ctx)
		claimed, err := s.Claim(ctx, gateway.ClaimParams{Log: "log", Lease: time.Minute, Limit: batch, InFlight: 2 * batch})
		outcomes := make([]gateway.Outcome, len(claimed))
		for i, e := range claimed {
			outcomes[i] = gateway.Outcome{EntryID: e.ID, Fence: e.Fence, Inclusion: storetest.NewInclusion(e.ID)}
		}
		_, finishErr := s.Finish(ctx, outcomes)
		if err := errors.Join(err, finishErr); err != nil {
			t.Error(err)
			return
		}
		commits.Add(1)
	}
}

// TestBackupIsTwoFiles: nothing is needed beside them, and nobody else may read them.
func TestBackupIsTwoFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	fill(t, path, 1)
	folder, m := backUp(t, path)
	if got := listFolder(t, folder); strings.Join(got, " ") != ManifestFile+" "+BackupFile {
		t.Errorf("files: %q", got)
	}
	wantMode(t, folder, 0o700)
	wantMode(t, filepath.Join(folder, BackupFile), 0o600)
	wantMode(t, filepath.Join(folder, ManifestFile), 0o600)
	if got, err := CheckBackup(t.Context(), folder); err != nil || !got.isEqual(m.Content) || got.SHA256 != m.SHA256 || got.Program != "test" {
		t.Errorf("checking: %+v, %v", got, err)
	}
	if got := listFolder(t, folder); len(got) != 2 {
		t.Errorf("files after checking: %q", got)
	}
	if m.SchemaVersion == 0 || m.Submissions != batch || m.Entries.Pending != batch || m.Incarnation == "" {
		t.Errorf("manifest: %+v", m)
	}
}

func TestBackupRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(t *testing.T, path, folder string)
		want error
	}{
		"folder exists":       {func(t *testing.T, _, folder string) { makeFolder(t, folder) }, ErrExists},
		"file exists":         {func(t *testing.T, _, folder string) { write(t, folder, "x") }, ErrExists},
		"no store":            {func(t *testing.T, path, _ string) { remove(t, path) }, fs.ErrNotExist},
		"newer tables":        {func(t *testing.T, path, _ string) { setVersion(t, path, true) }, ErrVersion},
		"older tables":        {func(t *testing.T, path, _ string) { setVersion(t, path, false) }, ErrVersion},
		"empty file":          {func(t *testing.T, path, _ string) { write(t, path, "") }, ErrDamaged},
		"no database":         {func(t *testing.T, path, _ string) { write(t, path, strings.Repeat("junk", 5000)) }, ErrDamaged},
		"damaged":             {func(t *testing.T, path, _ string) { overwrite(t, path, 64<<10, 64<<10) }, ErrDamaged},
		"restore interrupted": {func(t *testing.T, path, _ string) { write(t, path+stagingSuffix, "x") }, ErrInterrupted},
	} {
		t.Run(name, func(t *testing.T) {
			path, parent := filepath.Join(t.TempDir(), "store.db"), t.TempDir()
			fill(t, path, 1)
			folder := filepath.Join(parent, "backup")
			test.do(t, path, folder)
			before := listFolder(t, parent)
			if _, err := Backup(t.Context(), path, folder, BackupOptions{}); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if after := listFolder(t, parent); strings.Join(after, " ") != strings.Join(before, " ") {
				t.Errorf("left behind: %q, before: %q", after, before)
			}
		})
	}
}

// TestBackupEndsWithContext: whoever gives up leaves nothing.
func TestBackupEndsWithContext(t *testing.T) {
	path, parent := filepath.Join(t.TempDir(), "store.db"), t.TempDir()
	fill(t, path, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Backup(ctx, path, filepath.Join(parent, "backup"), BackupOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if left := listFolder(t, parent); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestCheck(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(t *testing.T, path string)
		want error
	}{
		"sound":        {func(*testing.T, string) {}, nil},
		"damaged":      {func(t *testing.T, path string) { overwrite(t, path, 64<<10, 64<<10) }, ErrDamaged},
		"queue length": {func(t *testing.T, path string) { change(t, path, `UPDATE log SET pending = pending + 1`) }, ErrDamaged},
		"cold rows":    {func(t *testing.T, path string) { change(t, path, `DELETE FROM entry_blob WHERE entry = 5`) }, ErrDamaged},
		"artifact's part": {func(t *testing.T, path string) {
			spoolOne(t, path)
			change(t, path, `DELETE FROM blob_part WHERE part = 1`)
		}, ErrDamaged},
		"artifact's digest": {func(t *testing.T, path string) {
			spoolOne(t, path)
			change(t, path, `UPDATE blob_part SET data = CAST(zeroblob(length(data)) AS BLOB) WHERE part = 1`)
		}, ErrDamaged},
		"artifact's use": {func(t *testing.T, path string) { spoolOne(t, path); change(t, path, `UPDATE blob SET attached = 0`) }, ErrDamaged},
		"trigger": {func(t *testing.T, path string) {
			change(t, path, `CREATE TRIGGER x AFTER INSERT ON fork BEGIN DELETE FROM submission_digest; END`)
		}, ErrDamaged},
		"no store": {func(t *testing.T, path string) { remove(t, path) }, fs.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store.db")
			fill(t, path, 1)
			test.do(t, path)
			c, err := Check(t.Context(), path)
			if !errors.Is(err, test.want) || err == nil && c.Submissions != batch {
				t.Errorf("%d submissions, error %v, want %v", c.Submissions, err, test.want)
			}
		})
	}
}

// spoolOne adds to the first entry of a store an artifact that it is sent with.
func spoolOne(t *testing.T, path string) {
	t.Helper()
	s := open(t, path, Options{})
	w, err := gateway.NewBlobWriter(t.Context(), s, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(make([]byte, gateway.BlobPart)) // Finish says it
	_, _ = w.Write([]byte("the end"))
	b, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	sub := storetest.NewSubmission("spooling", "one", "log-a")
	sub.Entries[0].Blob = &b
	if results, err := s.Enqueue(t.Context(), []gateway.NewSubmission{sub}); err != nil || results[0].Err != nil {
		t.Fatal(err, results)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func listFolder(t *testing.T, path string) (names []string) {
	t.Helper()
	found, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		names = append(names, f.Name())
	}
	return names
}

func makeFolder(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// overwrite damages n bytes from offset on.
func overwrite(t *testing.T, path string, offset int64, n int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	damage := make([]byte, n)
	_, err = f.ReadAt(damage, offset)
	for i := range damage {
		damage[i] ^= 0x55
	}
	_, writeErr := f.WriteAt(damage, offset)
	if err := errors.Join(err, writeErr, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// change runs a statement on the file.
func change(t *testing.T, path, query string) {
	t.Helper()
	if _, err := connect(t, stagingDSN(path)).Exec(query); err != nil {
		t.Fatal(err)
	}
}

// setVersion makes the file's tables those of another release.
func setVersion(t *testing.T, path string, newer bool) {
	t.Helper()
	if newer {
		change(t, path, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)`)
		return
	}
	change(t, path, `DELETE FROM goose_db_version WHERE version_id = (SELECT MAX(version_id) FROM goose_db_version)`)
}
