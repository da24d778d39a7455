// SPDX-License-Identifier: Apache-2.0

package sqlite

import "golang.org/x/sys/unix"

// readBirth returns when the file at path was made, in nanoseconds since 1970, and 0 where the file system
// does not say. A copy has a time of its own, which no program can set.
func readBirth(path string) int64 {
	var s unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_BTIME, &s); err != nil || s.Mask&unix.STATX_BTIME == 0 {
		return 0
	}
	return s.Btime.Sec*1e9 + int64(s.Btime.Nsec)
}
