// SPDX-License-Identifier: Apache-2.0

package run

import (
	"encoding/binary"
	"io/fs"
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

// encode appends the stamp to b.
func (s fileStamp) encode(b []byte) []byte {
	for _, v := range [...]uint64{uint64(s.size), uint64(s.modified), uint64(s.changed), s.inode, s.device} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return b
}
