// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// Spool keeps artifacts that come before the parts needed to read them, and compressed ones, in
// unlinked temporary files.
type Spool struct {
	dir  string
	max  int64             // bytes of all files together
	room func(int64) error // as SpoolConfig.CheckDisk; never nil
	used atomic.Int64
}

// SpoolConfig is what a Spool is made of.
type SpoolConfig struct {
	Dir string // "" is the system's folder for temporary files
	Max int64  // bytes of all files together
	// CheckDisk is called before each write with the number of bytes, and returns an error while too little space is
	// left; nil: it is never asked.
	CheckDisk func(size int64) error
}

var _ gateway.Spool = (*Spool)(nil)

// NewSpool returns an empty spool.
func NewSpool(cfg SpoolConfig) *Spool {
	if cfg.CheckDisk == nil {
		cfg.CheckDisk = func(int64) error { return nil }
	}
	return &Spool{dir: cfg.Dir, max: cfg.Max, room: cfg.CheckDisk}
}

// TakeIn implements gateway.Spool.
func (s *Spool) TakeIn(src io.Reader) (io.ReadCloser, error) {
	switch here := src.(type) {
	case *spooled, keptReader, *bytes.Reader:
		return io.NopCloser(here), nil
	}
	return s.copyIn(src)
}

// Used returns the bytes of all files together.
func (s *Spool) Used() int64 { return s.used.Load() }

// hasRoom reports whether n bytes more may be spooled now.
func (s *Spool) hasRoom(n int64) bool { return s.room(0) == nil && n <= s.max-s.used.Load() }

// spooled is one file; closing it frees the space.
type spooled struct {
	file  *os.File
	spool *Spool
	size  int64
}

// copyIn copies src into a spool file. Errors: problem.ErrSpoolFull, gateway.ErrDiskLow,
// gateway.ErrNotStored, or src's own.
func (s *Spool) copyIn(src io.Reader) (*spooled, error) {
	file, err := os.CreateTemp(s.dir, "rekor-gateway-spool-*")
	if err != nil {
		return nil, fmt.Errorf("%w: making a spool file: %w", gateway.ErrNotStored, err)
	}
	_ = os.Remove(file.Name()) // the open file stays usable, and is gone even after a crash
	out := &spooled{file: file, spool: s}
	if _, err := io.Copy(out, src); err != nil {
		_ = out.Close()
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		_ = out.Close()
		return nil, fmt.Errorf("rewinding a spool file: %w", err)
	}
	return out, nil
}

// Write appends p if the spool, and the disk, have room for it.
func (f *spooled) Write(p []byte) (int, error) {
	if err := f.spool.room(int64(len(p))); err != nil {
		return 0, err
	}
	f.size += int64(len(p))
	if f.spool.used.Add(int64(len(p))) > f.spool.max {
		return 0, problem.ErrSpoolFull
	}
	n, err := f.file.Write(p)
	if err != nil {
		err = fmt.Errorf("%w: writing a spool file: %w", gateway.ErrNotStored, err)
	}
	return n, err
}

// Read reads what was written, once it has all been taken.
func (f *spooled) Read(p []byte) (int, error) { return f.file.Read(p) }

// Close removes the file.
func (f *spooled) Close() error {
	f.spool.used.Add(-f.size)
	return f.file.Close()
}

// CheckSpool returns an error when no file can be made and written in dir; "" is the system's folder for temporary files.
func CheckSpool(dir string) error {
	spooled, err := NewSpool(SpoolConfig{Dir: dir, Max: 1}).copyIn(bytes.NewReader([]byte{0}))
	if err != nil {
		return err
	}
	return spooled.Close()
}
