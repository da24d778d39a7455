// SPDX-License-Identifier: Apache-2.0

package formats

import "context"

// KeyPreparer is a Format whose key files may be far larger than what one signature needs: a keyring of a whole
// distribution.
type KeyPreparer interface {
	// PrepareKeys reads files once, so that what a signature needs of them is found without reading them again. There is no
	// bound on their size or number but ctx: they are the operator's, or the caller's own.
	PrepareKeys(ctx context.Context, files [][]byte) (PreparedKeys, error)
}

// PreparedKeys are key files that were read. They are immutable and safe for concurrent use.
type PreparedKeys interface {
	// Select returns key files that serve signature as all of them would, with the keys that it names and what these rest on.
	// It is empty when the signature names none of the keys, or cannot be read.
	Select(signature []byte) [][]byte
}
