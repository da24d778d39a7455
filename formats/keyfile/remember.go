// SPDX-License-Identifier: Apache-2.0

package keyfile

import (
	"crypto/sha256"
	"slices"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// maxRememberedFile bounds a file whose keys are remembered, in bytes: a chain of certificates is smaller. As they were read they may take forty times that, since
// each name in a certificate, of four bytes, becomes a structure.
const maxRememberedFile = 8 << 10

// remembered has the files that were read lately, by their SHA-256; nil remembers nothing. It belongs to the process and not to
// a call: what is in a file follows from its bytes alone.
var remembered atomic.Pointer[lru.Cache[[sha256.Size]byte, rememberedFile]]

type rememberedFile struct {
	keys  []Key
	units int64 // that reading them was charged
}

// RememberFiles has this process remember the keys of the last n files that were read without an error: a command reads the same few for each of
// thousands of signatures, once to tell what the signature is, and again for its receipt; a gateway reads a signer's for each that is sent.
func RememberFiles(n int) error {
	memory, err := lru.New[[sha256.Size]byte, rememberedFile](n)
	if err == nil {
		remembered.Store(memory)
	}
	return err
}

// readOnce calls read unless the keys in data are remembered. It charges m the same either way, so that the verdict on an input does not depend on what
// was read before: a receipt is verified where it was not.
func readOnce(m *formats.Meter, data []byte, read func(*formats.Meter) ([]Key, error)) ([]Key, error) {
	memory := remembered.Load()
	if memory == nil || len(data) > maxRememberedFile {
		return read(m)
	}
	sum := sha256.Sum256(data)
	if file, ok := memory.Get(sum); ok {
		if err := m.ChargePart(file.units); err != nil {
			return nil, err
		}
		return slices.Clone(file.keys), nil // whoever gets them may sort them, or put others in their places
	}
	part := m.Part()
	keys, err := read(part)
	units := m.EndPart(part)
	if err != nil {
		return nil, err
	}
	for i := range keys {
		keys[i].Chain = slices.Clip(keys[i].Chain) // nor does whoever appends to it write into it
	}
	memory.Add(sum, rememberedFile{slices.Clone(keys), units})
	return keys, nil
}
