// SPDX-License-Identifier: Apache-2.0

package keyfile

import (
	"crypto/sha256"
	"slices"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"
)

// maxRememberedFile bounds a file whose keys are remembered, in bytes: a chain of certificates is smaller. As they were read they may take forty times that, since
// each name in a certificate, of four bytes, becomes a structure.
const maxRememberedFile = 8 << 10

// remembered has the keys of the files that were read lately, by SHA-256 of the file; nil remembers nothing. It belongs to the process and not to
// a call: what is in a file follows from its bytes alone.
var remembered atomic.Pointer[lru.Cache[[sha256.Size]byte, []Key]]

// RememberFiles has this process remember the keys of the last n files that were read without an error: a command reads the same few for each of
// thousands of signatures, once to tell what the signature is, and again for its receipt.
func RememberFiles(n int) error {
	memory, err := lru.New[[sha256.Size]byte, []Key](n)
	if err == nil {
		remembered.Store(memory)
	}
	return err
}

// readOnce calls read unless the keys in data are remembered.
func readOnce(data []byte, read func() ([]Key, error)) ([]Key, error) {
	memory := remembered.Load()
	if memory == nil || len(data) > maxRememberedFile {
		return read()
	}
	sum := sha256.Sum256(data)
	if keys, ok := memory.Get(sum); ok {
		return slices.Clone(keys), nil // whoever gets them may sort them, or put others in their places
	}
	keys, err := read()
	if err != nil {
		return nil, err
	}
	for i := range keys {
		keys[i].Chain = slices.Clip(keys[i].Chain) // nor does whoever appends to it write into it
	}
	memory.Add(sum, slices.Clone(keys))
	return keys, nil
}
