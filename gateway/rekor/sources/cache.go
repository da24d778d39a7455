// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// cache is the folder of one repository. The library works in metadata and targets, whose files are of several moments where a refresh was cut off:
// they are what rollbacks are known by. roots has the roots, of which each has signed the next. good has a copy of the last whole set, which is what is
// read at a start without the repository.
type cache struct {
	dir, metadata, roots, targets, good string
}

// goodFormer is where the set of before is while it is replaced.
const goodFormer = ".former"

// newCache returns the cache of a repository, which is known by its URL, and by its first root where that is not shared.
func newCache(cfg TUFConfig) cache {
	if cfg.Cache == "" {
		return cache{}
	}
	name := fmt.Sprintf("%q", cfg.URL)
	if !cfg.SharedRoot {
		name += fmt.Sprintf("%x", sha256.Sum256(cfg.Root))
	}
	sum := sha256.Sum256([]byte(name))
	dir := filepath.Join(cfg.Cache, hex.EncodeToString(sum[:8]))
	return cache{dir, filepath.Join(dir, "metadata"), filepath.Join(dir, "roots"), filepath.Join(dir, "targets"), filepath.Join(dir, "good")}
}

func (c cache) isSet() bool { return c.dir != "" }

func roleFile(folder, role string) string { return filepath.Join(folder, role+".json") }

func readBoundedFile(path string) ([]byte, error) { return trustroot.ReadFile(path) }

// dropTorn removes what is no metadata, as a power failure may leave it, and what lacks what the library takes for granted: it would not get past
// it, and it tells of no version that anything could follow.
func (c cache) dropTorn() {
	for role, check := range map[string]func([]byte) error{metadata.TIMESTAMP: checkTimestamp, metadata.SNAPSHOT: checkSnapshot, metadata.TARGETS: checkTargets} {
		path := roleFile(c.metadata, role)
		if b, err := readBoundedFile(path); err == nil && check(b) != nil {
			_ = os.Remove(path)
		}
	}
}

func checkTimestamp(b []byte) error {
	m, err := readMetadata(metadata.Timestamp, b)
	if err == nil && m.Signed.Meta["snapshot.json"] == nil {
		err = errUnreadable
	}
	return err
}

func checkSnapshot(b []byte) error {
	m, err := readMetadata(metadata.Snapshot, b)
	if err != nil {
		return err
	}
	for _, of := range m.Signed.Meta {
		if of == nil {
			return errUnreadable
		}
	}
	return nil
}

func checkTargets(b []byte) error {
	_, err := readMetadata(metadata.Targets, b)
	return err
}

func readMetadata[T metadata.Roles](empty func(...time.Time) *metadata.Metadata[T], b []byte) (m *metadata.Metadata[T], err error) {
	defer recoverRead(&err)
	return empty().FromBytes(b)
}

// findGood returns the folder of the last whole set. After a crash amid keep it is the one of before.
func (c cache) findGood() string {
	if _, err := os.Stat(c.good); err != nil {
		return c.good + goodFormer
	}
	return c.good
}

func (c cache) readGood(target string) ([]byte, error) {
	return readBoundedFile(targetFile(c.findGood(), target))
}

func targetFile(folder, name string) string {
	sum := sha256.Sum256([]byte(name))
	return filepath.Join(folder, "target-"+hex.EncodeToString(sum[:8]))
}

// keep copies a whole set, with the targets of these names in the order of trusted root and signing config.
func (c cache) keep(targets []string, s Snapshot) error {
	fresh := c.good + ".new"
	if err := errors.Join(os.RemoveAll(fresh), os.Mkdir(fresh, 0o700)); err != nil {
		return err
	}
	for _, role := range []string{metadata.ROOT, metadata.TIMESTAMP, metadata.SNAPSHOT, metadata.TARGETS} {
		b, err := readBoundedFile(roleFile(c.metadata, role))
		if err == nil {
			err = writeSynced(roleFile(fresh, role), b)
		}
		if err != nil {
			return err
		}
	}
	for i, content := range [][]byte{s.TrustedRoot, s.SigningConfig} {
		if err := writeSynced(targetFile(fresh, targets[i]), content); err != nil {
			return err
		}
	}
	return c.replaceGood(fresh)
}

// replaceGood puts a folder in the place of good. A crash between the two renames leaves the one of before, under its other name.
func (c cache) replaceGood(fresh string) error {
	former := c.good + goodFormer
	if _, err := os.Stat(c.good); err == nil {
		if err := errors.Join(os.RemoveAll(former), os.Rename(c.good, former)); err != nil {
			return err
		}
	}
	if err := os.Rename(fresh, c.good); err != nil {
		return err
	}
	return os.RemoveAll(former)
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // #nosec G304 -- below the configured folder
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}
