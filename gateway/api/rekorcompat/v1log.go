// SPDX-License-Identifier: Apache-2.0

package rekorcompat

import (
	"context"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekorjson"
)

// V1Log is the log that Rekor v1's clients see: what its routes read, and what they answer a submission with. It is either a log of Rekor v1, or
// one with entries as Rekor v1 has them in front of a log of another kind.
//
// Methods are called concurrently, bound their own time within ctx, and return nothing that was not verified: what is returned is of this log. Errors
// are gateway.ErrNotFound for what the log does not have, gateway.ErrUnavailable, gateway.ErrBadAnswer for what does not verify, or *formats.Error
// for what cannot be asked for.
type V1Log interface {
	V1Reader
	// Source returns the ID of the log in which a submission has to be for this log to have its entry: the log itself, or the one that it is
	// in front of.
	Source() string
	// Recorded returns the entry of this log by which a submission, of which Begin and Await have told, is recorded. Of several, for a file
	// with several signatures, it is the first. rekord is the body that Rekor v1 has for what was sent as a rekord, and nil where it has none; a log of
	// Rekor v1 knows itself whether it is recorded so. gateway.ErrNotFound: it is in this log not, or not yet; who waits is told to send the same
	// again.
	Recorded(ctx context.Context, logged gateway.Submission, rekord []byte) (rekorjson.ID, rekorjson.Entry, error)
}

// V1Reader is what is read of a V1Log.
type V1Reader interface {
	// Info returns the state of the log: its current tree's newest checkpoint, and those of the former ones.
	Info(ctx context.Context) (rekorjson.LogInfo, error)
	// PublicKey returns the key of a tree as PEM (PUBLIC KEY); 0 is the current tree.
	PublicKey(ctx context.Context, tree int64) ([]byte, error)
	// Proof returns the consistency proof between two sizes of a tree, 0 < first ≤ last; 0 is the current tree.
	Proof(ctx context.Context, tree int64, first, last uint64) (rekorjson.ConsistencyProof, error)
	// EntryByIndex returns the entry with an index over all trees.
	EntryByIndex(ctx context.Context, index int64) (rekorjson.ID, rekorjson.Entry, error)
	// EntryByID returns an entry by its leaf, and its tree where that is said.
	EntryByID(ctx context.Context, id rekorjson.ID) (rekorjson.ID, rekorjson.Entry, error)
	// Search returns the IDs of entries that the log's index has for s, which has been checked: the hash has a prefix, and the operator is
	// "and" or "or". An index is the log's word, incomplete, and proves nothing. The caller's own submissions are not its business.
	Search(ctx context.Context, s rekorjson.Search) ([]rekorjson.ID, error)
}
