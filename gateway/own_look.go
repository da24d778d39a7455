// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"crypto/sha256"
)

// OwnLook is how far a shard of another log was looked through for what a key has signed, and all that it had signed is known to the store.
type OwnLook struct {
	Shard Shard
	Key   [sha256.Size]byte // SHA-256 of its SubjectPublicKeyInfo
	From  uint64            // the first index that was looked at
	To    uint64            // and the first one that was not
}

// OwnLooks is the side of a Store where it is noted how far logs were looked through for anchors of own logs.
type OwnLooks interface {
	// KeepLooks notes how far the logs were looked through for anchors of an own log. Of each shard and key there is one look: a new one takes
	// its place where it begins earlier, or where it begins with it and goes further. The error is ErrNotFound where there is no such own
	// log, and ErrDoubtFirst where the engine went on, since Sequence said so or AddOwnLog was called, with what may be an older copy: it may
	// not know what the look has found to be known.
	KeepLooks(ctx context.Context, log string, looks []OwnLook) error
	// Looks returns those of an own log, in the order of their shards (by origin and key ID) and keys.
	Looks(ctx context.Context, log string) ([]OwnLook, error)
}
