// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// wantRestored opens the restored store and wants n submissions in it, and that it says once what it is.
func wantRestored(t *testing.T, path string, n int64) {
	t.Helper()
	checkFile(t, path)
	if c, err := Check(t.Context(), path); err != nil || c.Submissions != n {
		t.Errorf("%d submissions, want %d: %v", c.Submissions, n, err)
	}
	if !live(t, path) {
		t.Error("the restored store does not say that it is")
	}
	if live(t, path) {
		t.Error("it says so at the next opening, too")
	}
}

func TestRestore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	fill(t, path, 1)
	folder, m := backUp(t, path)
	fresh := filepath.Join(t.TempDir(), "new", "folder", "store.db")
	r, err := Restore(t.Context(), folder, fresh, RestoreOptions{})
	if err != nil || r.Aside != "" || !r.isEqual(m.Content) {
		t.Fatalf("restored %+v: %v", r, err)
	}
	if got := strings.Join(listFolder(t, filepath.Dir(fresh)), " "); got != "store.db store.db.lock" {
		t.Errorf("files: %s", got)
	}
	wantMode(t, fresh, 0o600)
	wantMode(t, filepath.Dir(fresh), 0o700)
	copyFile(t, path+incarnationSuffix, fresh+incarnationSuffix) // that of the backup's life is not that of the restored store
	wantRestored(t, fresh, batch)
}

// TestRestoreOver: what was there is kept, as one store with what had not reached its own file yet, and
// nothing of it is left beside the new one. Even the store of the backup's own life says that it is restored.
func TestRestoreOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	fill(t, path, 1)
	folder, _ := backUp(t, path)
	s := open(t, path, Options{})
	if _, err := s.Enqueue(t.Context(), batches(2)[1]); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} { // as a kill leaves them
		copyFile(t, path+suffix, path+".killed"+suffix)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} {
		if err := os.Rename(path+".killed"+suffix, path+suffix); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Restore(t.Context(), folder, path, RestoreOptions{}); !errors.Is(err, ErrExists) {
		t.Fatalf("restoring over a store: %v", err)
	}
	r, err := Restore(t.Context(), folder, path, RestoreOptions{Force: true})
	if err != nil {
		t.Fatal(err)
	}
	if exists(path+"-wal") || exists(path+incarnationSuffix) {
		t.Errorf("left beside the store: %q", listFolder(t, filepath.Dir(path)))
	}
	wantRestored(t, path, batch)
	if c, err := Check(t.Context(), r.Aside); err != nil || c.Submissions != 2*batch {
		t.Errorf("%d submissions in the store moved away: %v", c.Submissions, err)
	}
}

// TestRestoreKeepsOut: no restore while the store is used, by whoever, and no use while it is restored.
func TestRestoreKeepsOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	fill(t, path, 1)
	folder, _ := backUp(t, path)
	s := open(t, path, Options{})
	second := open(t, path, Options{})
	for _, s := range []*Store{s, second} {
		if _, err := Restore(t.Context(), folder, path, RestoreOptions{Force: true}); !errors.Is(err, ErrInUse) {
			t.Errorf("restoring a store in use: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	lock, err := lockExclusively(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, Options{}); !errors.Is(err, ErrInUse) {
		t.Errorf("opening while restored: %v", err)
	}
	if _, err := Check(t.Context(), path); !errors.Is(err, ErrInUse) {
		t.Errorf("checking while restored: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	wantOpen(t, path, batch)
}

// TestRestoreByLink: it is the same store by whatever name it is opened.
func TestRestoreByLink(t *testing.T) {
	path, link := filepath.Join(t.TempDir(), "store.db"), filepath.Join(t.TempDir(), "link.db")
	fill(t, path, 1)
	folder, _ := backUp(t, path)
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	s := open(t, path, Options{})
	if _, err := Restore(t.Context(), folder, link, RestoreOptions{Force: true}); !errors.Is(err, ErrInUse) {
		t.Errorf("restoring a store in use: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), folder, link, RestoreOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	if target, err := os.Readlink(link); err != nil || target != path {
		t.Errorf("the link leads to %s: %v", target, err)
	}
	wantRestored(t, path, batch)
}

// wantOpen opens the store as it is and wants n submissions in it.
func wantOpen(t *testing.T, path string, n int64) {
	t.Helper()
	if err := open(t, path, Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	if c, err := Check(t.Context(), path); err != nil || c.Submissions != n {
		t.Errorf("%d submissions, want %d: %v", c.Submissions, n, err)
	}
}

// TestRestoreRefuses: what is not a backup as it was written changes nothing.
func TestRestoreRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(t *testing.T, folder string)
		want error // nil: any
	}{
		"a bit flipped":      {func(t *testing.T, folder string) { overwrite(t, filepath.Join(folder, BackupFile), 99_999, 1) }, ErrDamaged},
		"truncated":          {func(t *testing.T, folder string) { truncate(t, filepath.Join(folder, BackupFile), -1) }, ErrDamaged},
		"longer":             {func(t *testing.T, folder string) { truncate(t, filepath.Join(folder, BackupFile), 1) }, ErrDamaged},
		"no store file":      {func(t *testing.T, folder string) { remove(t, filepath.Join(folder, BackupFile)) }, fs.ErrNotExist},
		"no manifest":        {func(t *testing.T, folder string) { remove(t, filepath.Join(folder, ManifestFile)) }, fs.ErrNotExist},
		"manifest cut off":   {func(t *testing.T, folder string) { truncate(t, filepath.Join(folder, ManifestFile), -20) }, ErrDamaged},
		"no folder":          {func(t *testing.T, folder string) { must(t, os.RemoveAll(folder)) }, fs.ErrNotExist},
		"another's":          {func(t *testing.T, folder string) { swapStore(t, folder) }, ErrDamaged},
		"newer manifest":     {func(t *testing.T, folder string) { rewrite(t, folder, func(m *Manifest) { m.Version = 2 }) }, ErrVersion},
		"newer tables":       {func(t *testing.T, folder string) { reseal(t, folder, func(p string) { setVersion(t, p, true) }, 999) }, ErrVersion},
		"schema not as said": {func(t *testing.T, folder string) { rewrite(t, folder, func(m *Manifest) { m.SchemaVersion-- }) }, ErrDamaged},
		"counts not as said": {func(t *testing.T, folder string) { rewrite(t, folder, func(m *Manifest) { m.Entries.Pending++ }) }, ErrDamaged},
		"not sound, digest right": {func(t *testing.T, folder string) {
			reseal(t, folder, func(p string) { overwrite(t, p, 64<<10, 64<<10) }, 0)
		}, ErrDamaged},
		"another program's, digest right": {func(t *testing.T, folder string) {
			reseal(t, folder, func(p string) { write(t, p, ""); change(t, p, `CREATE TABLE x (y)`) }, 0)
		}, nil},
		"no database, digest right": {func(t *testing.T, folder string) {
			reseal(t, folder, func(p string) { write(t, p, strings.Repeat("junk", 5000)) }, 0)
		}, ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store.db")
			fill(t, path, 1)
			folder, _ := backUp(t, path)
			test.do(t, folder)
			before := strings.Join(listFolder(t, filepath.Dir(path)), " ")
			content := read(t, path)
			_, err := Restore(t.Context(), folder, path, RestoreOptions{Force: true})
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if after := strings.Join(listFolder(t, filepath.Dir(path)), " "); after != before {
				t.Errorf("files %s, before: %s", after, before)
			}
			if !bytes.Equal(read(t, path), content) {
				t.Error("the store was changed")
			}
			if _, err := CheckBackup(t.Context(), folder); err == nil && name != "newer tables" {
				t.Error("checking finds nothing wrong")
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	return content
}

// truncate changes the size of the file by n.
func truncate(t *testing.T, path string, n int64) {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	must(t, os.Truncate(path, info.Size()+n))
}

// swapStore puts the file of another backup of the same size into folder.
func swapStore(t *testing.T, folder string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.db")
	fill(t, path, 1)
	other, _ := backUp(t, path)
	copyFile(t, filepath.Join(other, BackupFile), filepath.Join(folder, BackupFile))
}

// rewrite changes the manifest.
func rewrite(t *testing.T, folder string, f func(*Manifest)) {
	t.Helper()
	m, err := readManifest(folder)
	must(t, err)
	f(&m)
	remove(t, filepath.Join(folder, ManifestFile))
	must(t, writeManifest(folder, m))
}

// reseal changes the backup's file and has the manifest say so; schema 0 is the one it said.
func reseal(t *testing.T, folder string, f func(path string), schema int64) {
	t.Helper()
	path := filepath.Join(folder, BackupFile)
	f(path)
	rewrite(t, folder, func(m *Manifest) {
		var err error
		m.Size, m.SHA256, err = hashFile(t.Context(), path)
		must(t, err)
		if schema != 0 {
			m.SchemaVersion = schema
		}
	})
}

// TestRestoreOlder: a backup of the first release is migrated.
func TestRestoreOlder(t *testing.T) {
	path, all := copyFirstSchema(t)
	folder := t.TempDir()
	copyFile(t, path, filepath.Join(folder, BackupFile))
	size, digest, err := hashFile(t.Context(), path)
	must(t, err)
	m := Manifest{Version: 1, SchemaVersion: 1, Size: size, SHA256: digest}
	m.Submissions, m.Entries = int64(len(all)), countStates(all)
	must(t, writeManifest(folder, m))
	if _, err := CheckBackup(t.Context(), folder); err != nil {
		t.Error(err)
	}
	to := filepath.Join(t.TempDir(), "store.db")
	if _, err := Restore(t.Context(), folder, to, RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	wantRestored(t, to, int64(len(all)))

	rewrite(t, folder, func(m *Manifest) { m.Entries.Logged++ })
	if _, err := Restore(t.Context(), folder, to, RestoreOptions{Force: true}); !errors.Is(err, ErrDamaged) {
		t.Errorf("restoring with a count that is not right: %v", err)
	}
}

// countStates counts the entries of the first release's store.
func countStates(all []oldStored) (c EntryCounts) {
	seen := map[int64]bool{}
	for _, s := range all {
		for _, e := range s.Entries {
			if seen[e.ID] {
				continue
			}
			seen[e.ID] = true
			switch gateway.State(e.State) {
			case gateway.Pending:
				c.Pending++
			case gateway.Logged:
				c.Logged++
			case gateway.Failed:
				c.Failed++
			}
			if e.InDoubt {
				c.InDoubt++
			}
		}
	}
	return c
}

// TestRestoredDoubt: of what was sent before the backup nobody knows what became of it since. It is in doubt,
// as sent until now, and no lease of those who are gone holds it.
func TestRestoredDoubt(t *testing.T) {
	path, now := filepath.Join(t.TempDir(), "store.db"), time.UnixMilli(1_800_000_000_000).UTC()
	opts := Options{Now: func() time.Time { return now }}
	s := open(t, path, opts)
	claim := func(s *Store, limit int, size uint64) []gateway.Claimed {
		t.Helper()
		claimed, err := s.Claim(t.Context(), gateway.ClaimParams{
			Log: "log", Lease: time.Hour, Limit: limit, InFlight: 100, TreeSize: size, Shard: gateway.Shard{Origin: "log.example", KeyID: sha256.Sum256(nil)},
		})
		must(t, err)
		return claimed
	}
	names := []string{"logged", "refused", "failed", "leased", "waiting"}
	var subs []gateway.NewSubmission
	for _, name := range names {
		subs = append(subs, storetest.NewSubmission("tenant", name, "log"))
	}
	_, err := s.Enqueue(t.Context(), subs)
	must(t, err)
	sent := claim(s, 3, 7)
	lease := func(i int) gateway.Outcome { return gateway.Outcome{EntryID: sent[i].ID, Fence: sent[i].Fence} }
	logged, refused, failed := lease(0), lease(1), lease(2)
	logged.Inclusion = storetest.NewInclusion(sent[0].ID)
	refused.Retry, refused.Problem = true, "BUSY" // by the log: certainly not in it
	failed.Fail, failed.Problem = true, "NO"
	_, err = s.Finish(t.Context(), []gateway.Outcome{logged, failed, refused})
	must(t, err)
	leased := claim(s, 2, 8) // the refused one again, and another
	_, err = s.Finish(t.Context(), []gateway.Outcome{{EntryID: leased[0].ID, Fence: leased[0].Fence, Retry: true, Problem: "BUSY"}})
	must(t, err)
	folder, m := backUp(t, path)
	if m.Entries != (EntryCounts{Pending: 3, InDoubt: 1, Logged: 1, Failed: 1}) {
		t.Fatalf("entries in the backup: %+v", m.Entries)
	}
	now = now.Add(time.Minute) // and the gateway goes on meanwhile
	claim(s, 10, 9)
	must(t, s.Close())

	now = now.Add(time.Minute)
	if _, err := Restore(t.Context(), folder, path, RestoreOptions{Force: true, Now: opts.Now}); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, opts)
	if !s.Incarnation().Restored {
		t.Error("it is not said to be restored")
	}
	stats, err := s.Stats(t.Context())
	must(t, err)
	if stats.Pending["log"] != 3 || stats.Leased["log"] != 0 {
		t.Errorf("statistics after the restore: %+v", stats)
	}
	doubts, err := s.Doubtful(t.Context(), gateway.DoubtParams{
		Log: "log", Shard: gateway.Shard{Origin: "log.example", KeyID: sha256.Sum256(nil)}, Limit: 10,
	})
	must(t, err)
	got := map[int64]gateway.Doubt{}
	for _, d := range doubts {
		got[d.ID] = d
	}
	for name, test := range map[string]struct {
		id   int64
		size uint64
	}{"refused": {leased[0].ID, 7}, "leased": {leased[1].ID, 8}} {
		d := got[test.id]
		if !d.InDoubt || d.SentAgo > time.Minute || d.SentAtTreeSize == nil || *d.SentAtTreeSize != test.size || d.Shard.Origin != "log.example" {
			t.Errorf("%s: in doubt as %+v, %v after it was sent", name, d.Entry, d.SentAgo)
		}
	}
	if waiting := claim(s, 10, 99); len(got) != 2 || len(waiting) != 1 {
		t.Errorf("%d entries in doubt, %d waiting", len(got), len(waiting))
	}
}
