// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package run

import "os"

const openNoLink = 0

// lockFile does nothing here: two runs over one tree are for Linux.
func lockFile(*os.File) error { return nil }

// writeUnnamed is for Linux.
func writeUnnamed(string, []byte) error { return errNoUnnamed }

// finishPart syncs each file by itself.
func finishPart(f *os.File) error { return f.Sync() }

// syncFileSystem has nothing left to do.
func syncFileSystem(string) error { return nil }

// checkWritable leaves that to the writing.
func checkWritable(string) error { return nil }

// tryLockFile does nothing here.
func tryLockFile(*os.File) (locked bool, err error) { return true, nil }
