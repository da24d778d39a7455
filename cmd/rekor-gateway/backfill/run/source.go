// SPDX-License-Identifier: Apache-2.0

package run

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/formats"
)

// source is a file of one submission, which may be read several times and has to be the same each time.
type source struct {
	name  string
	path  string    // "" for one that was fetched
	root  string    // the folder that no link leads path out of; "" where one may
	spool *os.File  // what was fetched; it has no name any more, so that nothing of it is left when the program is killed
	first fileStamp // of the file when it was first opened
	known bool      // first is set
	seen  bool      // it was a regular file a moment ago

	settled *settledFiles // nil: nothing is remembered of it
}

// openSource returns the file that name is of, which no link leads to out of root, unless that is "": fetched to this machine where it is a URL, and then of at
// most limit bytes.
func openSource(ctx context.Context, root, name string, limit int64) (*source, error) {
	if !client.IsURL(name) {
		return &source{name: name, path: name, root: root}, nil
	}
	u, err := client.ParseFetchURL(name)
	if err != nil {
		return nil, fault.Fail(fault.ReasonFetch, err, "write https://HOST/PATH, or download the file yourself and name that")
	}
	spool, err := os.CreateTemp("", "rekor-gateway-backfill-")
	if err != nil {
		return nil, explainFetch(&spoolError{err})
	}
	_ = os.Remove(spool.Name()) // what fails here is removed by close
	s := &source{name: name, spool: spool}
	limits := client.ArtifactLimits
	limits.OnlyToTLS, limits.MaxBytes = true, limit
	if _, err := client.Fetch(ctx, u, &spoolWriter{spool}, limits); err != nil {
		s.close()
		return nil, explainFetch(err)
	}
	return s, nil
}

// spoolError says that there is no room on this machine for what is fetched. That is so for all else, too.
type spoolError struct{ err error }

func (e *spoolError) Error() string {
	return "making room for a file that is fetched: " + e.err.Error()
}
func (e *spoolError) Unwrap() error { return e.err }

func isSpoolFault(err error) bool { return errors.As(err, new(*spoolError)) }

// spoolWriter tells what cannot be written from what cannot be fetched.
type spoolWriter struct{ file *os.File }

// Write implements io.Writer.
func (w *spoolWriter) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	if err != nil {
		err = &spoolError{err}
	}
	return n, err
}

func explainFetch(err error) error {
	if isSpoolFault(err) {
		return fault.Fail(fault.ReasonFile, err, "make room in the folder for temporary files, or name another one in $TMPDIR, and run the command again")
	}
	if errors.As(err, new(x509.UnknownAuthorityError)) {
		return fault.Fail(fault.ReasonFetch, err, "have the system know the server's authority, or name a file with it in $SSL_CERT_FILE (--ca-file is for the gateway's certificate); or download the file yourself and name that")
	}
	return fault.Fail(fault.ReasonFetch, err, "check the URL, or download the file yourself and name that")
}

// isFetched reports whether something of item is fetched.
func isFetched(item backfill.Item) bool {
	return client.IsURL(item.Signature) || client.IsURL(item.Artifact) || slices.ContainsFunc(item.Keys, client.IsURL)
}

func (s *source) close() {
	if s != nil && s.spool != nil {
		_ = s.spool.Close()
		_ = os.Remove(s.spool.Name())
	}
}

// size returns how large the file is now, or 0 where that is not known.
func (s *source) size() int64 {
	if s.spool == nil {
		return sizeOf(s.path)
	}
	info, err := s.spool.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

// open opens the file, which has not changed since it was opened first.
func (s *source) open() (*sourceReader, error) {
	if s.spool != nil {
		return &sourceReader{source: s, Reader: io.NewSectionReader(s.spool, 0, math.MaxInt64)}, nil
	}
	file, info, err := s.openFile()
	if err != nil {
		return nil, err
	}
	s.settled.sync(file, info)
	r := &sourceReader{source: s, Reader: file, file: file, left: info.Size()}
	if err := r.compareStamp(info); err != nil {
		_ = file.Close()
		return nil, err
	}
	return r, nil
}

// openFile opens the file where it is: somebody may have put a pipe there since it was found, or a link.
func (s *source) openFile() (*os.File, fs.FileInfo, error) {
	wasSeen := s.seen
	s.seen = false
	switch {
	case s.root == "" && wasSeen:
		return backfill.Reopen(s.path)
	case s.root == "":
		return backfill.Open(s.path)
	case wasSeen:
		return backfill.ReopenBelow(s.root, s.path)
	}
	return backfill.OpenBelow(s.root, s.path)
}

// adopt takes what was read of the file a moment ago as what would be read now, and reports whether it is: no other file is there, and each change since would be
// seen by its stamp.
func (s *source) adopt(r *backfill.Read) bool {
	stamp := stampOf(r.Info)
	if stamp.changed == 0 || !s.settled.wasSynced(stamp.device, r.At) { // without a time of change, one cannot be seen
		return false
	}
	now, err := os.Stat(s.path)
	if err != nil || stampOf(now) != stamp {
		s.seen = false // somebody may have put a pipe there
		return false
	}
	s.first, s.known, s.seen = stamp, true, false
	return true
}

// readSome reads a file, or one byte more than limit of it.
func (s *source) readSome(limit int64) ([]byte, error) {
	r, err := s.open()
	if err != nil {
		return nil, err
	}
	defer r.Close() //nolint:errcheck // only read
	b := bytes.NewBuffer(make([]byte, 0, min(max(r.left, 0), limit)+bytes.MinRead))
	_, err = b.ReadFrom(io.LimitReader(r, limit+1))
	return b.Bytes(), err
}

// readAll reads a small file.
func (s *source) readAll(limit int64) ([]byte, error) {
	raw, err := s.readSome(limit)
	switch {
	case err != nil:
		return nil, err
	case int64(len(raw)) > limit:
		return nil, formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("%s is larger than %d bytes", s.name, limit), "see whether it is a signature or key at all")
	}
	return raw, nil
}

// sourceReader refuses, at its end, a file that has changed while it was read.
type sourceReader struct {
	io.Reader
	source *source
	file   *os.File // nil for what was fetched
	left   int64    // of file, by its size when it was opened; less than 0 where there was more
}

// Read implements io.Reader.
func (r *sourceReader) Read(p []byte) (int, error) {
	if r.isRead() && len(p) > 0 {
		return 0, r.end()
	}
	n, err := r.Reader.Read(p)
	r.left -= int64(n)
	if errors.Is(err, io.EOF) {
		err = r.end()
	}
	return n, err
}

// isRead reports whether as much was read as the file had: then its stamp tells whether there is more. Files of no size, of /proc, may have something in them all
// the same.
func (r *sourceReader) isRead() bool { return r.file != nil && r.left == 0 && r.source.first.size > 0 }

// end returns io.EOF where the file has not changed.
func (r *sourceReader) end() error {
	if err := r.checkStamp(); err != nil {
		return err
	}
	return io.EOF
}

func (r *sourceReader) checkStamp() error {
	if r.file == nil {
		return nil
	}
	info, err := r.file.Stat()
	if err != nil {
		return err
	}
	return r.compareStamp(info)
}

// compareStamp refuses a file that is not as it was when it was opened first.
func (r *sourceReader) compareStamp(info fs.FileInfo) error {
	now := stampOf(info)
	if !r.source.known {
		r.source.first, r.source.known = now, true
	}
	if now != r.source.first {
		return formats.NewError(fault.ReasonFileChanged, r.source.name+" has changed while it was read", "run the command again once nobody writes the file")
	}
	return nil
}

// Close implements io.Closer.
func (r *sourceReader) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
