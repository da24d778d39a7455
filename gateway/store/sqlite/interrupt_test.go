// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// What a copier does, by workerEnv, in its working folder.
const (
	workBackup  = "backup"
	workRestore = "restore"
	workMigrate = "migrate"
	workFolder  = "backup" // of the backup
)

// runCopier says that it begins and backs up, restores, or brings the tables up to date, once.
func runCopier() {
	fmt.Println("begins")
	var err error
	switch os.Getenv(workerEnv) {
	case workBackup:
		_, err = Backup(context.Background(), workerStore, workFolder, BackupOptions{})
	case workMigrate:
		var s *Store
		if s, err = Open(context.Background(), workerStore, Options{}); err == nil {
			err = s.Close()
		}
	default:
		_, err = Restore(context.Background(), workFolder, workerStore, RestoreOptions{Force: true})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// killCopier runs a copier in folder and kills it after a while. It reports whether it was done before.
func killCopier(t *testing.T, folder, work string, after time.Duration) (done bool) {
	t.Helper()
	binary, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Dir, cmd.Env, cmd.Stderr = folder, append(os.Environ(), workerEnv+"="+work), os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	bufio.NewScanner(out).Scan()
	killed := time.AfterFunc(after, func() { cmd.Process.Kill() })
	defer killed.Stop()
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		t.Errorf("the copier failed: %v", err)
	}
	return err == nil
}

// measure returns how long f takes.
func measure(f func()) time.Duration {
	started := time.Now()
	f()
	return time.Since(started)
}

// kills is how often copiers are killed, each at a random moment of their work.
const kills = 12

// TestBackupKilled: there is a whole backup, or none by that name, and the store does not notice.
func TestBackupKilled(t *testing.T) {
	folder := t.TempDir()
	fill(t, filepath.Join(folder, workerStore), 8)
	whole := measure(func() {
		if !killCopier(t, folder, workBackup, time.Minute) {
			t.Fatal("no backup within a minute")
		}
	})
	made := 0
	for range kills {
		must(t, os.RemoveAll(filepath.Join(folder, workFolder)))
		killCopier(t, folder, workBackup, rand.N(whole+whole/4))
		if exists(filepath.Join(folder, workFolder)) {
			made++
			if m, err := CheckBackup(t.Context(), filepath.Join(folder, workFolder)); err != nil || m.Submissions != 8*batch {
				t.Errorf("after a kill there is a backup of %d submissions: %v", m.Submissions, err)
			}
		}
		wantOpen(t, filepath.Join(folder, workerStore), 8*batch)
	}
	t.Logf("%d of %d kills came too late", made, kills)
}

// TestRestoreKilled: there is the store as it was, the restored one, or one that says that the restore has to
// be run again; then that helps.
func TestRestoreKilled(t *testing.T) {
	folder, before := t.TempDir(), filepath.Join(t.TempDir(), "before.db")
	path, backup := filepath.Join(folder, workerStore), filepath.Join(folder, workFolder)
	fill(t, path, 8)
	_, err := Backup(t.Context(), path, backup, BackupOptions{})
	must(t, err)
	fill(t, before, 1)
	reset := func() {
		must(t, removeFiles(path))
		must(t, removeFiles(path+stagingSuffix))
		copyFile(t, before, path)
		copyFile(t, before+incarnationSuffix, path+incarnationSuffix)
	}
	reset()
	whole := measure(func() { killCopier(t, folder, workRestore, time.Minute) })
	outcomes := map[string]int{}
	for range kills {
		reset()
		killCopier(t, folder, workRestore, rand.N(whole+whole/4))
		outcomes[wantOldOrNew(t, backup, path)]++
	}
	t.Logf("after %d kills: %v", kills, outcomes)
}

// wantOldOrNew wants one batch in the old store, or eight in the restored one, and returns what it finds.
func wantOldOrNew(t *testing.T, backup, path string) string {
	t.Helper()
	c, err := Check(t.Context(), path)
	switch {
	case errors.Is(err, ErrInterrupted):
		_, openErr := Open(t.Context(), path, Options{})
		if !errors.Is(openErr, ErrInterrupted) {
			t.Errorf("opening an interrupted store: %v", openErr)
		}
		_, err := Restore(t.Context(), backup, path, RestoreOptions{Force: true})
		must(t, err)
		wantRestored(t, path, 8*batch)
		return "interrupted"
	case err != nil:
		t.Errorf("checking: %v", err)
	case c.Submissions == 8*batch:
		wantRestored(t, path, 8*batch)
		return "restored"
	case live(t, path):
		t.Error("the old store says that it is restored")
	}
	wantOpen(t, path, batch)
	return "as it was"
}

// TestRestoreInterrupted stops between any two of the renames, which no kill meets by chance.
func TestRestoreInterrupted(t *testing.T) {
	for moved := range len(sideSuffixes) + 1 {
		t.Run(fmt.Sprint(moved), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store.db")
			fill(t, path, 8)
			folder, m := backUp(t, path)
			must(t, removeFiles(path))
			fill(t, path, 1)
			write(t, path+"-wal", "") // as after a crash
			info, err := os.Stat(path)
			must(t, err)
			must(t, stageBackup(t.Context(), folder, path, m, RestoreOptions{Now: time.Now}))
			aside := path + asideSuffix + info.ModTime().UTC().Format(asideTime)
			for _, suffix := range sideSuffixes[:moved] {
				if exists(path + suffix) {
					must(t, os.Rename(path+suffix, aside+suffix))
				}
			}
			if got := wantOldOrNew(t, folder, path); got != "interrupted" {
				t.Errorf("the store is %s", got)
			}
			wantOpen(t, aside, batch)
			if others := strings.Count(strings.Join(listFolder(t, filepath.Dir(path)), " "), ".before-restore-"); others > 4 {
				t.Errorf("the old store is torn apart: %q", listFolder(t, filepath.Dir(path)))
			}
		})
	}
}

// TestBackupOfKilledProcess backs up while another process writes, and is killed meanwhile: what that had
// acknowledged before is in the backup.
func TestBackupOfKilledProcess(t *testing.T) {
	folder := t.TempDir()
	var mu sync.Mutex
	var acknowledged []string
	var working sync.WaitGroup
	begun := make(chan struct{})
	working.Go(func() {
		killWorker(t, folder, func(id string, _ gateway.State) {
			mu.Lock()
			defer mu.Unlock()
			if acknowledged = append(acknowledged, id); len(acknowledged) == 1 {
				close(begun)
			}
		})
	})
	defer working.Wait()
	<-begun
	for range 3 {
		mu.Lock()
		before := slices.Clone(acknowledged)
		mu.Unlock()
		backup, _ := backUp(t, filepath.Join(folder, workerStore))
		path := filepath.Join(t.TempDir(), "store.db")
		_, err := Restore(t.Context(), backup, path, RestoreOptions{})
		must(t, err)
		s := open(t, path, Options{})
		for _, id := range before {
			if _, err := s.Get(t.Context(), "tenant", id); err != nil {
				t.Fatalf("submission %s was acknowledged before the backup: %v", id, err)
			}
		}
	}
}
