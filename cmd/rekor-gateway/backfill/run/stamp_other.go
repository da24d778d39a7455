// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package run

import (
	"io/fs"
	"os"
)

// changedAt is not known here.
func changedAt(fs.FileInfo) (nanoseconds int64, inode, device uint64) { return 0, 0, 0 }

// findDevice does not know it here.
func findDevice(string) (device uint64, keepsChanges bool, err error) { return 0, true, nil }

// openKeepsTimes does not know it here.
func openKeepsTimes(*os.File) bool { return true }
