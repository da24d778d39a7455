// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Stdout in the place of a path is the process's standard output.
const Stdout = "stdout"

// maxHeld bounds the lines that wait until the file can be written again. What is not stored may take half of that alone: refusals
// cost who causes them little, and would crowd out what was accepted.
const maxHeld = 4096

// File is an audit trail in a file, which only grows. Lines that cannot be written wait, in order, and are written
// once they can be: up to maxHeld of them. Methods are safe for concurrent use.
type File struct {
	path string
	lost func() // called for each line that is given up

	mu   sync.Mutex // over what follows
	out  io.WriteCloser
	held [][]byte // lines that are not written
	torn bool     // the last line that was begun has no end
	err  error    // why; nil: all is written
}

// Open opens the file at path, or makes it, readable by its owner alone. lost is called for each line that is given up.
func Open(path string, lost func()) (*File, error) {
	f := &File{path: path, lost: lost}
	if err := f.Reopen(); err != nil {
		return nil, err
	}
	return f, nil
}

// Reopen goes on in the file that is at the path now: what rotates logs has moved the other one away. When that cannot be
// opened, the one before stays in use.
func (f *File) Reopen() error {
	out, err := openFile(f.path)
	if err != nil {
		return fmt.Errorf("opening the audit trail: %w", err)
	}
	torn := isTorn(f.path)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.out != nil {
		err = f.out.Close()
	}
	f.out, f.torn = out, torn
	f.flush()
	return err
}

func openFile(path string) (io.WriteCloser, error) {
	if path == Stdout {
		return keepOpen{os.Stdout}, nil
	}
	if info, err := os.Stat(path); err == nil && info.Mode()&(os.ModeDir|os.ModeNamedPipe|os.ModeSocket) != 0 { // a pipe would hold up everything
		return nil, fmt.Errorf("%s is not a file", path)
	}
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}

// isTorn reports whether the file at path ends within a line, as one does whose writer was killed on a full disk. What cannot be
// read counts as whole.
func isTorn(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close() //nolint:errcheck // only read
	last := []byte{'\n'}
	_, err = f.ReadAt(last, info.Size()-1)
	return err == nil && last[0] != '\n'
}

// keepOpen is not closed.
type keepOpen struct{ io.Writer }

// Close implements io.Closer.
func (keepOpen) Close() error { return nil }

// Write writes a record, behind those that wait. The error says that it waits too, or is given up.
func (f *File) Write(r gateway.AuditRecord) error {
	b, err := encodeLine(&r)
	if err != nil {
		return fmt.Errorf("encoding an audit record: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.held) >= roomFor(r.Event) {
		f.lost()
		return f.err
	}
	f.held = append(f.held, b)
	f.flush()
	return f.err
}

// roomFor returns how many lines may wait before one of event e is given up.
func roomFor(e gateway.AuditEvent) int {
	if e == gateway.AuditRefused || e == gateway.AuditDenied {
		return maxHeld / 2
	}
	return maxHeld
}

// Check tries to write what waits, and returns why it cannot be written.
func (f *File) Check() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		f.flush()
	}
	return f.err
}

// flush writes what waits. The caller holds the lock.
func (f *File) flush() {
	for f.err = nil; len(f.held) > 0; f.held = f.held[1:] {
		if f.err = f.writeLine(f.held[0]); f.err != nil {
			return
		}
	}
	f.held = nil
}

// writeLine begins a new line where the one before is torn, so that a reader loses none but that.
func (f *File) writeLine(b []byte) error {
	if f.torn {
		b = append([]byte{'\n'}, b...)
	}
	n, err := f.out.Write(b)
	f.torn = err != nil && (n > 0 || f.torn)
	return err
}

// Close writes what waits, as far as it can be, and closes the file.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flush()
	for range f.held {
		f.lost()
	}
	f.held = nil
	return errors.Join(f.err, f.out.Close())
}
