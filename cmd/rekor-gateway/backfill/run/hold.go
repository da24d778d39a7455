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

	top     *os.Root // the folder that it stays below, whatever links are put there; nil where it need not
	topInfo os.FileInfo
	name    string // of the folder below top

	users   int  // under heldFolders.mu
	dropped bool // its last user closes it
}

// holdFolder opens the folder of path. Nothing that somebody puts in its place, a link least of all, leads out of root, nor elsewhere once it is open.
func holdFolder(root, path string) (*heldFolder, error) {
	h := new(heldFolder)
	err := h.open(root, filepath.Dir(path))
	if err == nil {
		h.dir, err = h.Open(".")
	}
	if err == nil {
		h.info, err = h.dir.Stat()
	}
	if err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

// open opens the folder dir as an os.Root.
func (h *heldFolder) open(root, dir string) (err error) {
	if root == "" {
		h.Root, err = os.OpenRoot(dir)
		return err
	}
	if h.name, err = filepath.Rel(root, dir); err != nil {
		return err
	}
	if h.top, err = os.OpenRoot(root); err != nil {
		return err
	}
	if h.topInfo, err = h.top.Stat("."); err != nil {
		return err
	}
	if h.Root, err = h.top.OpenRoot(h.name); err != nil {
		return backfill.ExplainFolder(dir, root, err)
	}
	return nil
}

func (h *heldFolder) close() {
	if h.dir != nil {
		_ = h.dir.Close() // only held
	}
	for _, root := range []*os.Root{h.Root, h.top} {
		if root != nil {
			_ = root.Close()
		}
	}
}

// isStill reports whether open would open the same folder now. A link that leads out of root leads nowhere, though it leads to the very folder that is held:
// that was moved there.
func (h *heldFolder) isStill(root, dir string) bool {
	if h.top == nil {
		now, err := os.Stat(dir)
		return err == nil && os.SameFile(now, h.info)
	}
	if now, err := os.Stat(root); err != nil || !os.SameFile(now, h.topInfo) {
		return false
	}
	now, err := h.top.Stat(h.name)
	return err == nil && os.SameFile(now, h.info)
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
	f.mu.Lock()
	h := f.all[key]
	if h != nil {
		h.users++
	}
	f.mu.Unlock()
	if h == nil || h.isStill(key[0], key[1]) {
		return h
	}
	f.release(h)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all[key] == h {
		f.drop(key)
	}
	return nil
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
