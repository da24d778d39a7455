// SPDX-License-Identifier: Apache-2.0

package run

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
)

// report is a file with a line for each signature. It gets its name once it has them all.
type report struct {
	path string

	mu   sync.Mutex // over what follows
	file *os.File
	to   *bufio.Writer
}

// reportSuffix is what a report's name has more while it is written.
const reportSuffix = ".part"

// The heads of lines: how each begins of a report, and of what a dry run writes.
const (
	reportHead  = `{"name":`
	plannedHead = `{"messageType":"planned",`
)

// openReport begins a report. It replaces what begins as one of replaced, under its name and that of what a killed run has left.
func openReport(path string, force bool, replaced ...string) (*report, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fault.Fail(fault.ReasonFileExists, fmt.Errorf("%s is no regular file", path), "name another file with --report")
	}
	if old, _, err := backfill.Open(path); err == nil && !force {
		isReport := beginsAs(old, replaced)
		if _ = old.Close(); !isReport { // only read
			return nil, fault.Fail(fault.ReasonFileExists, fmt.Errorf("%s exists and is no such report", path), "name another file with --report, or replace it with --force")
		}
	}
	file, err := openReportPart(path+reportSuffix, force, replaced)
	if err != nil {
		return nil, err
	}
	return &report{path: path, file: file, to: bufio.NewWriterSize(file, 64<<10)}, nil
}

// openReportPart opens the file that a report is written into, empty and locked. The one that was opened may be another run's, which has
// given it the report's name since: then there is a new one.
func openReportPart(path string, force bool, replaced []string) (*os.File, error) {
	for range maxPartTries {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|openNoLink, 0o644) // #nosec G302 -- as public as the files that it is about
		if err != nil {
			return nil, err
		}
		own, err := lockReportPart(file)
		if err == nil && own {
			if own, err = emptyReportPart(file, force, replaced); own {
				return file, nil
			}
		}
		if err = errors.Join(err, file.Close()); err != nil {
			return nil, err
		}
	}
	return nil, errReportTaken(path)
}

// emptyReportPart empties what an earlier run of the same user has left, and by force all else. By force it removes somebody else's, who could go on writing to it:
// own is false then, and a new one is to be made.
func emptyReportPart(file *os.File, force bool, replaced []string) (own bool, err error) {
	info, err := file.Stat()
	switch {
	case err != nil:
		return false, err
	case !force && (!isOurs(info) || !beginsAs(file, replaced)):
		return false, fault.Fail(fault.ReasonFileExists, fmt.Errorf("%s exists and is no such report", file.Name()), "see what it is, and move it away; name another file with --report, or replace it with --force")
	case !isOurs(info):
		return false, os.Remove(file.Name())
	}
	if err = file.Truncate(0); err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	return err == nil, err
}

func errReportTaken(path string) error {
	return fault.Fail(fault.ReasonFileExists, fmt.Errorf("another run writes %s", path), "name another file with --report")
}

// lockReportPart locks the file. It is not the run's own when another one has renamed it before.
func lockReportPart(file *os.File) (own bool, err error) {
	locked, err := tryLockFile(file)
	switch {
	case err != nil:
		return false, err
	case !locked:
		return false, errReportTaken(file.Name())
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: file.Name(), Err: errors.New("no regular file")}
	}
	if err != nil {
		return false, err
	}
	named, err := os.Lstat(file.Name())
	return err == nil && os.SameFile(info, named), nil
}

// beginsAs reports whether a file is empty or begins with one of heads: what an earlier run has written is replaced, and nothing else.
func beginsAs(file io.Reader, heads []string) bool {
	head, err := io.ReadAll(io.LimitReader(file, int64(max(len(reportHead), len(plannedHead)))))
	return err == nil && (len(head) == 0 || slices.ContainsFunc(heads, func(h string) bool { return strings.HasPrefix(string(head), h) }))
}

// add writes a line: an outcome, or what is planned.
func (r *report) add(line any) error {
	raw, err := jsonv2.Marshal(line)
	if err != nil {
		return fmt.Errorf("encoding a line of the report: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err = r.to.Write(append(output.EscapeJSON(raw), '\n'))
	return err
}

// flush has what was added seen by whoever reads the file.
func (r *report) flush() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.to.Flush()
}

// finish ends the report, and gives it its name when it has all lines. It returns the file's name.
func (r *report) finish(whole bool) (path string, err error) {
	path = r.file.Name()
	err = r.flush()
	if err == nil && whole {
		if err = r.file.Sync(); err == nil {
			err = os.Rename(path, r.path)
		}
		path = r.path
	}
	if err = errors.Join(err, r.file.Close()); err != nil {
		return path, fault.Fail(fault.ReasonFile, fmt.Errorf("writing the report: %w", err), "make room, or name another file with --report")
	}
	return path, nil
}
