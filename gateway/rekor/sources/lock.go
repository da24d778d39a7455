// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

const (
	// lockRetry is how often a lock that another process has is tried.
	lockRetry = 50 * time.Millisecond
	// lockWait bounds what is waited for it: a refresh is over in less, or the repository does not answer.
	lockWait = 20 * time.Second
)

// lock waits until no other process writes in the cache, and returns what lets the next one in. Gateways may share the folder: two that write at
// once would leave files of two moments beside each other. The error is a *fs.PathError. Who only reads needs no lock: what is whole is replaced as a whole.
func (c cache) lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(c.dir), 0o700); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	l := flock.New(c.dir+".lock", flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	if _, err := l.TryLockContext(ctx, lockRetry); err != nil {
		var ofPath *fs.PathError
		if !errors.As(err, &ofPath) {
			err = &fs.PathError{Op: "lock", Path: l.Path(), Err: fmt.Errorf("another process writes in the cache: %w", err)}
		}
		return nil, err
	}
	return func() { _ = l.Unlock() }, nil
}
