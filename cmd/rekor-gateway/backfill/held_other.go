// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package backfill

import (
	"errors"
	"io/fs"
	"os"
)

// unrooted is for Linux.
func unrooted(folder *os.File) *os.File { return folder }

const holdsFolders = false

// openHeld is for Linux.
func openHeld(*os.File, string) (scanned, fs.FileInfo, error) { return nil, nil, errors.ErrUnsupported }

// openBeneath is for Linux.
func openBeneath(string, string) (*os.File, fs.FileInfo, error) {
	return nil, nil, errors.ErrUnsupported
}
