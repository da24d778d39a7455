// SPDX-License-Identifier: Apache-2.0

//go:build bench

package bench

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree is a folder of signed files.
type tree struct {
	dir          string
	keys         []string // files with the signers' keys
	signatures   int
	files        int
	receiptBytes int64
}

// endings are those of the signatures of mixedItems, in their order. TUF metadata has its own names.
var endings = []string{".sig", ".asc", ".sig", ".p7s", ".minisig"}

// perFolder is how many items a folder has.
const perFolder = 1000

// makeTree lays out n signatures, an equal mix of the formats, a thousand in a folder.
func makeTree(t *testing.T, n int) *tree {
	formats := len(endings) + 1
	return layTree(t, mixedItems(max(1, n/formats)*formats))
}

// layTree lays out items of mixedItems.
func layTree(t *testing.T, items []item) *tree {
	tr := &tree{dir: t.TempDir()}
	for i := range endings {
		tr.addKey(t, items[i].key)
	}
	check(inParallel(len(items), 8, func(_, i int) error {
		return tr.layItem(items[i], i)
	}))
	tr.signatures = len(items) + (len(items)+perFolder-1)/perFolder // each folder's root signs itself
	return tr
}

func (tr *tree) layItem(it item, i int) error {
	artifact, signature := tr.pathsOf(i)
	if err := os.MkdirAll(filepath.Dir(signature), 0o755); err != nil {
		return err
	}
	var err error
	if artifact == "" {
		err = writeOnce(filepath.Join(filepath.Dir(signature), "root.json"), it.key)
	} else {
		err = os.WriteFile(artifact, it.artifact, 0o644)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(signature, it.signature, 0o644)
}

// pathsOf returns the files of item i; "" is no artifact, as TUF metadata has none.
func (tr *tree) pathsOf(i int) (artifact, signature string) {
	format, folder := i%(len(endings)+1), filepath.Join(tr.dir, fmt.Sprint(i/perFolder))
	if format == len(endings) {
		return "", filepath.Join(folder, "metadata", fmt.Sprintf("%d.targets.json", i+1))
	}
	name := filepath.Join(folder, fmt.Sprintf("release-%d.tar.gz", i))
	return name, name + endings[format]
}

// writeOnce writes a file that another may have written meanwhile, whole and with the same content.
func writeOnce(path string, content []byte) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	part, err := os.CreateTemp(filepath.Dir(filepath.Dir(path)), "part")
	if err != nil {
		return err
	}
	defer part.Close()
	if _, err := part.Write(content); err != nil {
		return err
	}
	return os.Rename(part.Name(), path)
}

func (tr *tree) addKey(t *testing.T, key []byte) {
	path := filepath.Join(t.TempDir(), "key")
	check(os.WriteFile(path, key, 0o600))
	tr.keys = append(tr.keys, path)
}

func (tr *tree) keyFlags() (flags []string) {
	for _, k := range tr.keys {
		flags = append(flags, "--key", k)
	}
	return flags
}

// eachReceipt calls f for each receipt in the tree.
func (tr *tree) eachReceipt(f func(path string, e fs.DirEntry)) {
	check(filepath.WalkDir(tr.dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".receipt.json") {
			f(path, e)
		}
		return err
	}))
}

// checkReceipts wants one for each signature.
func (tr *tree) checkReceipts(t *testing.T) {
	t.Helper()
	n := 0
	tr.receiptBytes = 0
	tr.eachReceipt(func(_ string, e fs.DirEntry) {
		n++
		tr.receiptBytes += must(e.Info()).Size()
	})
	if n != tr.signatures {
		t.Fatalf("%d receipts of %d signatures", n, tr.signatures)
	}
}

func (tr *tree) removeReceipts() {
	tr.eachReceipt(func(path string, _ fs.DirEntry) { check(os.Remove(path)) })
}

// mostLinks is what file systems let one file have, and some to spare.
const mostLinks = 30_000

// makeOriginals makes as many signatures by one key as a tree of n links to them and their files and receipts needs.
func makeOriginals(t *testing.T, n int) *tree {
	tr := &tree{dir: t.TempDir()}
	items := makeItems((n/3+mostLinks-1)/mostLinks, signArtifacts())
	for i, it := range items {
		check(tr.layItem(it, i*(len(endings)+1)))
	}
	tr.addKey(t, items[0].key)
	tr.signatures = len(items)
	return tr
}

// spread has n links in another tree: to originals, their signatures and receipts.
func (tr *tree) spread(t *testing.T, n int) *tree {
	out := &tree{dir: t.TempDir(), keys: tr.keys}
	tr.eachReceipt(func(path string, _ fs.DirEntry) {
		original := strings.TrimSuffix(path, ".receipt.json")
		for range min(mostLinks, (n-out.files)/3) {
			name := filepath.Join(out.dir, fmt.Sprint(out.signatures/perFolder), fmt.Sprintf("release-%d.tar.gz", out.signatures))
			check(os.MkdirAll(filepath.Dir(name), 0o755))
			for _, more := range []string{"", endings[0], ".receipt.json"} {
				check(os.Link(original+more, name+more))
				out.files++
			}
			out.signatures++
		}
	})
	return out
}
