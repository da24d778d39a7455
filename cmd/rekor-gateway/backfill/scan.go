// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// suffixes of a signature that stands beside what it is over.
var suffixes = []string{".sigstore.json", ".pem.sig", ".minisig", ".sshsig", ".sign", ".asc", ".sig", ".p7s", ".p7m"}

// Scan yields every signature under the roots, in lexical order, as it is found. An error ends it.
func Scan(roots []string, o Options) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for _, root := range roots {
			err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
				if err != nil || e.IsDir() {
					return err
				}
				base, ok := cutSuffix(path)
				if !ok {
					return nil
				}
				name, err := filepath.Rel(root, path)
				if err != nil {
					return err
				}
				item := Item{Signature: path, Name: filepath.ToSlash(name), Artifact: base}
				if _, err := os.Stat(base); err != nil {
					item.Artifact = ""
					item.Problem = formats.NewError(formats.ReasonMissingArtifact, item.Name+" has no "+filepath.Base(base)+" beside it",
						"put it there, or name it in a manifest")
				}
				if !yield(item, nil) {
					return fs.SkipAll
				}
				return nil
			})
			if err != nil {
				yield(Item{}, err)
				return
			}
		}
	}
}

func cutSuffix(path string) (base string, ok bool) {
	for _, s := range suffixes {
		if base, ok = strings.CutSuffix(path, s); ok {
			return base, true
		}
	}
	return path, false
}
