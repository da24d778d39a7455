// SPDX-License-Identifier: Apache-2.0

package run

import (
	"encoding/binary"
	"io/fs"
	"time"
)

// fileStamp tells whether a file is the one that it was.
type fileStamp struct {
	size, modified, changed int64 // bytes; nanoseconds
	inode, device           uint64
}

func stampOf(info fs.FileInfo) fileStamp {
	s := fileStamp{size: info.Size(), modified: info.ModTime().UnixNano()}
	s.changed, s.inode, s.device = changedAt(info)
	return s
}

// isCoarse reports whether the time of change may be cut to the second, as old file systems do (ext3, and ext4 with small inodes): what is written later in that
// second has the same stamp.
func (s fileStamp) isCoarse() bool { return s.changed%int64(time.Second) == 0 }

// lastChange returns the latest that the file may have changed with that stamp, in nanoseconds.
func (s fileStamp) lastChange() int64 {
	if s.isCoarse() {
		return s.changed + int64(time.Second)
	}
	return s.changed
}

// encode appends the stamp to b.
func (s fileStamp) encode(b []byte) []byte {
	for _, v := range [...]uint64{uint64(s.size), uint64(s.modified), uint64(s.changed), s.inode, s.device} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return b
}
