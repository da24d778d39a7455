// SPDX-License-Identifier: Apache-2.0

package run

import (
	"io/fs"
	"os"
	"sync"
	"time"
)

// settledFiles knows which files had settled before they were read: whatever is written to them after that gives them another time. What is written by way of
// a mapping does so only where the page was clean, so that a file may change for half a minute after its time. All file systems with files that are read
// are synced once, before: then all pages are clean whose files have an earlier time.
//
// It is safe for concurrent use.
type settledFiles struct {
	mu     sync.Mutex
	since  map[uint64]int64     // by device, in nanoseconds: files that changed before had settled then; none where a change may go unseen. Guarded by mu
	synced map[uint64]time.Time // by device: when that was done. Guarded by mu
}

// tick is longer than file systems' clocks take to go on: what is written after it has a later time than what was before.
const tick = 20 * time.Millisecond

// sync has the file system of an open file synced, unless it was. It is called before the file is read. The nil settledFiles has no use for it.
func (s *settledFiles) sync(file *os.File, info fs.FileInfo) {
	if s == nil {
		return
	}
	device := stampOf(info).device
	s.mu.Lock() // the others wait
	defer s.mu.Unlock()
	if _, done := s.synced[device]; done {
		return
	}
	if s.since == nil {
		s.since, s.synced = map[uint64]int64{}, map[uint64]time.Time{}
	}
	now := time.Now().UnixNano()
	time.Sleep(tick)
	if err := syncFileSystem(file); err != nil {
		return
	}
	if s.synced[device] = time.Now(); openKeepsTimes(file) {
		s.since[device] = now
	}
}

// wasSynced reports whether the file system of a device had been synced at a moment. Where nothing is remembered, none has to be.
func (s *settledFiles) wasSynced(device uint64, at time.Time) bool {
	if s == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	synced, done := s.synced[device]
	return done && synced.Before(at)
}

// has reports whether a file had settled that was synced before it was read.
func (s *settledFiles) has(stamp fileStamp) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	since, synced := s.since[stamp.device]
	return synced && stamp.lastChange() <= since
}
