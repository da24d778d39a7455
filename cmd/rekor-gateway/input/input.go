// SPDX-License-Identifier: Apache-2.0

// Package input reads files that somebody names.
package input

import (
	"fmt"
	"io"
	"os"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
)

// MaxKeyring bounds a key file on this machine, in bytes. Distributions' keyrings have tens of millions.
const MaxKeyring = 256 << 20

// ReadFile returns what is in a file of at most limit bytes.
func ReadFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) > limit {
		return nil, fault.WithHint(fmt.Errorf("%s is larger than %d bytes", path, limit), "name the signature, key or receipt itself; the signed file goes to --artifact")
	}
	return raw, nil
}
