// SPDX-License-Identifier: Apache-2.0

package run

import (
	"os"
	"path/filepath"
	"sync"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
)

// maxHeldFolders bounds the folders that are held open between two receipts.
const maxHeldFolders = 16

// heldFolder is an open folder that receipts go to.
type heldFolder struct {
	*os.Root
	dir  *os.File // the same folder, for calls that take no os.Root
	info os.FileInfo

	users   int  // under heldFolders.mu
	dropped bool // its last user closes it
}

// holdFolder opens the folder of path. Nothing that somebody puts in its place, a link least of all, leads out of root, nor elsewhere once it is open.
func holdFolder(root, path string) (*heldFolder, error) {
	folder, err := openFolder(root, path)
	if err != nil {
		return nil, err
	}
	h := &heldFolder{Root: folder}
	if h.dir, err = folder.Open("."); err == nil {
		h.info, err = h.dir.Stat()
	}
	if err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

func (h *heldFolder) close() {
	if h.dir != nil {
		_ = h.dir.Close() // only held
	}
	_ = h.Close()
}

// openFolder is holdFolder, of an os.Root.
func openFolder(root, path string) (*os.Root, error) {
	dir := filepath.Dir(path)
	if root == "" {
		return os.OpenRoot(dir)
	}
	top, name, err := openTop(root, dir)
	if err != nil {
		return nil, err
	}
	defer top.Close() //nolint:errcheck // only held
	folder, err := top.OpenRoot(name)
	if err != nil {
		return nil, backfill.ExplainFolder(dir, root, err)
	}
	return folder, nil
}

// openTop opens root, and returns the name that the folder dir has below it.
func openTop(root, dir string) (top *os.Root, name string, err error) {
	if name, err = filepath.Rel(root, dir); err == nil {
		top, err = os.OpenRoot(root)
	}
	return top, name, err
}

// statFolder returns what openFolder would open. A link that leads out of root leads nowhere, though it leads to the very folder that is held: that was
// moved there.
func statFolder(root, dir string) (os.FileInfo, error) {
	if root == "" {
		return os.Stat(dir)
	}
	top, name, err := openTop(root, dir)
	if err != nil {
		return nil, err
	}
	defer top.Close() //nolint:errcheck // only held
	return top.Stat(name)
}

// heldFolders keeps the folders open that receipts went to last: thousands go to the same. The zero value is ready, and safe for concurrent use.
type heldFolders struct {
	mu  sync.Mutex
	all map[[2]string]*heldFolder // by root and folder
}

// use calls do with the folder of path, as it is now.
func (f *heldFolders) use(root, path string, do func(*heldFolder) error) error {
	key := [2]string{root, filepath.Dir(path)}
	h := f.find(key)
	if h == nil {
		var err error
		if h, err = holdFolder(root, path); err != nil {
			return err
		}
		f.add(key, h)
	}
	defer f.release(h)
	return do(h)
}

// find returns nil where the folder is not held, or another one has come to its place. The caller releases what it returns.
func (f *heldFolders) find(key [2]string) *heldFolder {
	now, err := statFolder(key[0], key[1])
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.all[key]
	switch {
	case h == nil:
		return nil
	case err != nil || !os.SameFile(now, h.info):
		f.drop(key)
		return nil
	}
	h.users++
	return h
}

// add holds h, which the caller releases, in the place of others.
func (f *heldFolders) add(key [2]string, h *heldFolder) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h.users++
	f.drop(key)
	for other := range f.all {
		if len(f.all) < maxHeldFolders {
			break
		}
		f.drop(other)
	}
	if f.all == nil {
		f.all = map[[2]string]*heldFolder{}
	}
	f.all[key] = h
}

// drop forgets a folder, which is closed once nobody uses it. The lock is held.
func (f *heldFolders) drop(key [2]string) {
	h := f.all[key]
	if h == nil {
		return
	}
	delete(f.all, key)
	h.dropped = true
	if h.users == 0 {
		h.close()
	}
}

func (f *heldFolders) release(h *heldFolder) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if h.users--; h.users == 0 && h.dropped {
		h.close()
	}
}

// close drops all of them.
func (f *heldFolders) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key := range f.all {
		f.drop(key)
	}
}
