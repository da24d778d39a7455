// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"fmt"
	"math"
	"time"
)

// LeafHash is the RFC 6962 hash of an entry's leaf in its log.
type LeafHash [32]byte

// Prepared is an entry as its log's adapter made it. Body is opaque to all but that adapter.
type Prepared struct {
	Log      string // LogInfo.ID
	LeafHash LeafHash
	Kind     string // of Body: "hashedrekord/0.0.2"
	Body     []byte // the canonical entry: what is sent, now and on every retry
	// Signature is what an RFC 3161 timestamp of the entry has to be over; nil for none.
	Signature []byte
}

// NewEntry is an entry on its way into the store. Entries with the same Log and LeafHash
// are one row, whoever submitted them.
type NewEntry struct {
	Prepared
	Of int // index of the signature it records, in SubmissionFields.Signatures
	// Blob is the artifact, where the entry is sent with it; see BlobStore. It counts against quotas of bytes.
	Blob *Blob
}

// Entry is one record in one log: what is hot of it.
type Entry struct {
	ID       int64
	Log      string
	LeafHash LeafHash
	Kind     string
	Of       int   // index of the signature it records; not set by Claim, which no submission asks for
	State    State // Pending, Logged or Failed
	// Shard is where it was last claimed for; zero before that. Its fate is settled there.
	Shard Shard
	// SentAtTreeSize is the shard's size recorded before the first send to it; nil before that. The
	// entry's index, if it is logged by us, is at or after it.
	SentAtTreeSize *uint64
	// AbsentTo is how far absence is proven: no index from SentAtTreeSize up to, and without,
	// AbsentTo has the entry. Zero is not looked for yet.
	AbsentTo uint64
	// InDoubt: it was claimed, perhaps sent, and no outcome was stored. It must be looked for
	// in the log before it is sent again.
	InDoubt    bool
	LastSentAt time.Time // when it may last have been sent, by the store's clock; zero before the first claim
	Attempts   int       // claims so far
	Fence      int64     // the lease's token; Finish needs it
	NextAt     time.Time // not claimed before, by the store's clock
	Problem    string    // reason of the last setback, "" when none
	LogIndex   *uint64   // set when Logged
}

// Claimed is an entry under a lease, with what is sent.
type Claimed struct {
	Entry
	Body   []byte // nil where it cannot be read back: then the entry must not be sent
	Yields bool   // for BackfillAge it is sent after what is claimed later, and does not
}

// Prepared returns the entry as its adapter made it, but for the signature.
func (c *Claimed) Prepared() Prepared {
	return Prepared{Log: c.Log, LeafHash: c.LeafHash, Kind: c.Kind, Body: c.Body}
}

// CheckInclusion refuses what no log answers, and no store keeps: an inclusion without a proof, or at an index that
// is out of range.
func CheckInclusion(i *Inclusion) error {
	if i == nil || i.Kind == "" || len(i.Proof) == 0 || i.Index > math.MaxInt64 {
		return fmt.Errorf("%w: not an inclusion with a proof", ErrBadAnswer)
	}
	return nil
}

// Inclusion is a verified record of an entry in a log, in the form that a receipt of its kind needs.
type Inclusion struct {
	Kind  string // of Proof; see package receipt: "rekor.v1.TransparencyLogEntry"
	Index uint64 // in the log's tree
	Proof []byte // opaque to all but receipts of its kind
}
