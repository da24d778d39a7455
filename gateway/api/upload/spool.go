// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// spool keeps artifacts that come before the parts needed to read them, in unlinked
// temporary files that take at most max bytes together.
type spool struct {
	dir  string
	max  int64
	used atomic.Int64
}

// spooled is one file; closing it frees the space.
type spooled struct {
	file  *os.File
	spool *spool
	size  int64
}

// copyIn copies src into a spool file. Errors: problem.ErrSpoolFull, gateway.ErrNotStored, or src's own.
func (s *spool) copyIn(src io.Reader) (*spooled, error) {
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

// Write appends p if the spool has room for it.
func (f *spooled) Write(p []byte) (int, error) {
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
