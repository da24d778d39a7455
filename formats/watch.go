// SPDX-License-Identifier: Apache-2.0

package formats

import (
	"io"

	"github.com/rekor-gateway/rekor-gateway/formats/textlayer"
)

// maxSecretFile is larger than any private key's file.
const maxSecretFile = 16 << 10

// SecretWatch reads an artifact and remembers its beginning, to notice a private key that was sent in place of the
// artifact, or signed by a script that signs all there is.
type SecretWatch struct {
	io.Reader
	head []byte
	size int64
}

// WatchSecret returns a watch on r.
func WatchSecret(r io.Reader) *SecretWatch { return &SecretWatch{Reader: r} }

// Read implements io.Reader.
func (w *SecretWatch) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if w.size += int64(n); w.size <= maxSecretFile {
		w.head = append(w.head, p[:n]...)
	} else {
		w.head = nil
	}
	return n, err
}

// Check refuses what was read when all of it is a private key. Errors have ReasonSecretKey.
func (w *SecretWatch) Check() error {
	if w.size > maxSecretFile {
		return nil
	}
	if s, ok := textlayer.IsSecret(w.head); ok {
		return ErrSecret("as the artifact", s)
	}
	return nil
}
