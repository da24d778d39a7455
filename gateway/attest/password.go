// SPDX-License-Identifier: Apache-2.0

package attest

import (
	"bytes"
	"fmt"
	"os"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// Password returns the password of a key file.
type Password func() ([]byte, error)

// PasswordFromEnv reads the environment variable called name; it must be set and not empty.
func PasswordFromEnv(name string) Password {
	return func() ([]byte, error) {
		if p := os.Getenv(name); p != "" {
			return []byte(p), nil
		}
		return nil, fmt.Errorf("reading password: environment variable %s is not set", name)
	}
}

// PasswordFromFile reads the file at path, without the line end that editors add.
func PasswordFromFile(path string) Password {
	return func() ([]byte, error) {
		b, err := readFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading password: %w", err)
		}
		if b = bytes.TrimRight(b, "\r\n"); len(b) == 0 {
			return nil, fmt.Errorf("reading password: the file is empty")
		}
		return b, nil
	}
}

// toPassFunc is p as cryptoutils wants it; nil for a plain key.
func (p Password) toPassFunc() cryptoutils.PassFunc {
	if p == nil {
		return nil
	}
	return func(bool) ([]byte, error) { return p() }
}
