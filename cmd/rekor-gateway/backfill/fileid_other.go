// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package backfill

import "io/fs"

type fileID struct{ device, inode uint64 }

func identifyFile(fs.FileInfo) (fileID, bool) { return fileID{}, false }
