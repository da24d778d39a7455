// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// storeFolder is the folder of a store that is copied, and put back.
type storeFolder struct {
	t            *testing.T
	random       *rand.Rand
	folder, copy string
	backup       bool // the copy is one of Backup
}

func (f *storeFolder) path() string { return filepath.Join(f.folder, "store.db") }

func (f *storeFolder) open() *Store { return open(f.t, f.path(), Options{}) }

func (f *storeFolder) save(s gateway.Store) (gateway.Store, bool) {
	must(f.t, os.RemoveAll(f.copy))
	if f.backup = f.random.IntN(2) == 0; f.backup {
		_, err := Backup(f.t.Context(), f.path(), f.copy, BackupOptions{Program: "test"})
		must(f.t, err)
		return s, false
	}
	must(f.t, s.(*Store).Close())
	must(f.t, os.CopyFS(f.copy, os.DirFS(f.folder)))
	return f.open(), true
}

func (f *storeFolder) restart(s gateway.Store) (gateway.Store, bool) {
	must(f.t, s.(*Store).Close())
	return f.open(), true
}

// putBack puts the copy back in one of the ways that are noticed, and may restart the gateway before it did anything.
func (f *storeFolder) putBack(s gateway.Store) (gateway.Store, bool) {
	must(f.t, s.(*Store).Close())
	if f.backup {
		_, err := Restore(f.t.Context(), f.copy, f.path(), RestoreOptions{Force: true})
		must(f.t, err)
	} else {
		known := read(f.t, f.path()+incarnationSuffix)
		must(f.t, os.RemoveAll(f.folder))
		must(f.t, os.CopyFS(f.folder, os.DirFS(f.copy)))
		if f.random.IntN(2) == 0 {
			write(f.t, f.path()+incarnationSuffix, string(known))
		}
	}
	if f.random.IntN(2) == 0 {
		must(f.t, f.open().Close())
	}
	return f.open(), true
}

func TestLives(t *testing.T) {
	for range 3 {
		seed := rand.Uint64()
		dir := t.TempDir()
		f := &storeFolder{t: t, random: rand.New(rand.NewPCG(seed, 1)), folder: filepath.Join(dir, "data"), copy: filepath.Join(dir, "copy")}
		s := f.open()
		if readBirth(f.path()) == 0 {
			t.Skip("this file system does not say when a file was made")
		}
		storetest.RunLives(t, s, seed, 400, storetest.Lives{Save: f.save, Restart: f.restart, PutBack: f.putBack})
	}
}
