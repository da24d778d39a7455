// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/fetcher"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"
)

const rootSuffix = ".root.json"

// newestRoot returns the newest root in the cache that the one that is trusted first leads to.
func (c cache) newestRoot(first []byte) []byte {
	return c.walkRoots(first, func([]byte) bool { return false })
}

// goodRoot returns the root of the last whole set, which is older than the newest where no refresh has succeeded since the roots rotated.
func (c cache) goodRoot(first []byte) []byte {
	good, err := readBoundedFile(roleFile(c.findGood(), metadata.ROOT))
	return c.walkRoots(first, func(b []byte) bool { return err == nil && bytes.Equal(b, good) })
}

// walkRoots goes from root to root, as long as each has signed the next, until one is enough, and returns the last.
func (c cache) walkRoots(first []byte, enough func([]byte) bool) []byte {
	set, err := trustedmetadata.New(first)
	if err != nil || !c.isSet() {
		return first
	}
	for at := first; ; {
		if enough(at) {
			return at
		}
		next, err := readBoundedFile(c.rootFile(set.Root.Signed.Version + 1))
		if err != nil || takeRoot(set, next) != nil {
			return at
		}
		at = next
	}
}

// takeRoot verifies that b is the root after that of set.
func takeRoot(set *trustedmetadata.TrustedMetadata, b []byte) (err error) {
	defer recoverRead(&err)
	_, err = set.UpdateRoot(b)
	return err
}

func (c cache) rootFile(version int64) string {
	return filepath.Join(c.roots, strconv.FormatInt(version, 10)+rootSuffix)
}

// keepRoot keeps a root that was fetched. Nobody has verified it yet: who reads it does.
func (c cache) keepRoot(version int64, b []byte) error {
	name := c.rootFile(version)
	fresh := name + ".new"
	if err := os.MkdirAll(c.roots, 0o700); err != nil {
		return err
	}
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeSynced(fresh, b); err != nil {
		return err
	}
	return os.Rename(fresh, name)
}

// rootKeeper keeps the roots that are fetched.
type rootKeeper struct {
	fetcher.Fetcher
	cache cache
}

// DownloadFile implements fetcher.Fetcher.
func (k rootKeeper) DownloadFile(url string, limit int64, timeout time.Duration) ([]byte, error) {
	b, err := k.Fetcher.DownloadFile(url, limit, timeout)
	number, isRoot := strings.CutSuffix(path.Base(url), rootSuffix)
	if err != nil || !isRoot {
		return b, err
	}
	version, err := strconv.ParseInt(number, 10, 64)
	if err != nil { // a target of that name
		return b, nil
	}
	if err := k.cache.keepRoot(version, b); err != nil {
		return nil, fmt.Errorf("keeping root %d: %w", version, err)
	}
	return b, nil
}
