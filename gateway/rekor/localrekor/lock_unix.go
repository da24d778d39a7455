// SPDX-License-Identifier: Apache-2.0

//go:build unix

package localrekor

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lockDir keeps a second process from the same directory, until the file is closed.
func lockDir(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening lock file: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s, is another log running there? %w", path, err), f.Close())
	}
	return f, nil
}
