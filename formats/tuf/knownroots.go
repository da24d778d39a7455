// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"crypto/sha256"

	lru "github.com/hashicorp/golang-lru/v2"
)

// What is remembered of roots: those used last, and none that is larger, in bytes. Decoded they take a few MiB together.
const (
	rememberedRoots = 32
	rememberedSize  = 16 << 10
)

// knownRoots are roots that sign themselves, by SHA-256 of their files. All metadata of a repository comes with the same one. That
// says nothing of who trusts it.
var knownRoots, _ = lru.New[[sha256.Size]byte, *document](rememberedRoots) // fails for sizes below one

// provenAs is what it took to find that a root signs itself.
type provenAs struct {
	checking int64 // in units
}

// rememberRoot has a root that was found to sign itself found by its file. Nobody changes it from then on.
func rememberRoot(r *document, checking int64) {
	if len(r.raw) > rememberedSize {
		return
	}
	r.proven = &provenAs{checking}
	knownRoots.Add(r.digest, r)
}
