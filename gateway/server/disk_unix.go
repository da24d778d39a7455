// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package server

import (
	"math"
	"syscall"
)

// freeBytes returns how many bytes this process may still write on folder's file system.
func freeBytes(folder string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return 0, err
	}
	free := s.Bavail * uint64(s.Bsize)
	return int64(min(free, math.MaxInt64)), nil
}

// shareDisk reports whether two folders are on one file system.
func shareDisk(a, b string) bool {
	var x, y syscall.Stat_t
	return syscall.Stat(a, &x) == nil && syscall.Stat(b, &y) == nil && x.Dev == y.Dev
}
