// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"os"

	"golang.org/x/sys/unix"
)

// unrooted returns an open folder that tells what its names are as it is read. What an os.Root has opened looks each name up for that, once more. The folder
// is the same, so that no link leads out of the root; where that cannot be done, it is the one that was given.
func unrooted(folder *os.File) *os.File {
	fd, err := unix.FcntlInt(folder.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return folder
	}
	_ = folder.Close()                            // only read
	return os.NewFile(uintptr(fd), folder.Name()) // #nosec G115 -- it is not negative
}
