// SPDX-License-Identifier: Apache-2.0

// Package input reads files that somebody names.
package input

import (
	"fmt"
	"io"
	"os"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
)

// MaxKeyring bounds a key file on this machine, in bytes. Distributions' keyrings have tens of millions.
const MaxKeyring = 256 << 20

// ReadFound is ReadFile for a file that nobody has named, but which was found where it may be. It is a regular one: at a pipe that somebody has put there one would
// wait for ever.
func ReadFound(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fault.Fail(fault.ReasonFile, fmt.Errorf("%s is no regular file", path), "see what it is, and move it away")
	}
	f, _, err := backfill.Open(path) // which does not wait either, if it is another one by now
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	return readAll(f, path, limit)
}

// ReadFile returns what is in a file of at most limit bytes.
func ReadFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	return readAll(f, path, limit)
}

func readAll(f io.Reader, path string, limit int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) > limit {
		return nil, fault.WithHint(fmt.Errorf("%s is larger than %d bytes", path, limit), "name the signature, key or receipt itself; the signed file goes to --artifact")
	}
	return raw, nil
}
