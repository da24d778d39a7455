// SPDX-License-Identifier: Apache-2.0

//go:build unix

package backfill

import (
	"io/fs"
	"syscall"
)

// fileID tells a file from all others of the machine, whatever it is called.
type fileID struct{ device, inode uint64 }

func identifyFile(info fs.FileInfo) (fileID, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}, false
	}
	return fileID{uint64(st.Dev), st.Ino}, true //nolint:unconvert // another width elsewhere
}
