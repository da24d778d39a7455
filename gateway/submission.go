// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"time"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"

	"github.com/rekor-gateway/rekor-gateway/formats"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// Representation is how a submission is recorded.
type Representation string

// The representations, best first.
const (
	Native    Representation = "NATIVE"
	Projected Representation = "PROJECTED"
	Attested  Representation = "ATTESTED"
)

// State is how far an entry or a submission is.
type State string

const (
	// Pending: durable, not yet in the log.
	Pending State = "PENDING"
	// Partial: some of a submission's entries are logged. No entry is ever Partial.
	Partial State = "PARTIAL"
	// Logged: all entries are in the log and their proofs are verified.
	Logged State = "LOGGED"
	// Failed: the log refused an entry for good. Submitting again starts it afresh.
	Failed State = "FAILED"
)

// Settled reports whether nothing more will happen to a submission in state s by itself.
func (s State) Settled() bool { return s == Logged || s == Failed }

// SubmissionKey recognises the same submission: SHA-256 over tenant, format, canonical
// signature, signers, artifact digests, representation, and what policy made of it (checks made,
// historical or not, certificate published or not).
type SubmissionKey [32]byte

// LeafHash is the RFC 6962 hash of an entry's body.
type LeafHash [32]byte

// SubmissionFields are what never changes of a submission.
type SubmissionFields struct {
	ID             string // UUIDv7
	Tenant         string
	Key            SubmissionKey
	Format         string
	Representation Representation
	Digests        []formats.Digest // the artifact's, for searching
	Signers        [][32]byte       // SHA-256 of the SPKIs, for searching
	Labels         map[string]string
	Receipt        *receiptpb.Receipt // its bundles are still without log entries
	CreatedAt      time.Time          // to the millisecond
}

// NewSubmission is a verified submission on its way into the store.
type NewSubmission struct {
	SubmissionFields
	Priority int        // higher is claimed first
	Entries  []NewEntry // at least one; their positions are their roles
}

// NewEntry is an entry on its way into the store. Entries with the same Log and LeafHash
// are one row, whoever submitted them.
type NewEntry struct {
	Log      string // LogInfo.ID
	LeafHash LeafHash
	Body     []byte // canonical entry: what is sent, now and on every retry
}

// Submission is a stored submission with its entries.
type Submission struct {
	SubmissionFields
	State   State
	Entries []Entry // in the order of their roles
	// Existing is set by Enqueue when the key was known: the row is the earlier one's.
	Existing bool
}

// Entry is one record in one log.
type Entry struct {
	ID       int64
	Log      string
	LeafHash LeafHash
	Body     []byte
	State    State // Pending, Logged or Failed
	// SentAtTreeSize is the log's size recorded before the first send; nil before that. The
	// entry's index, if it is logged by us, is at or after it.
	SentAtTreeSize *uint64
	// InDoubt: it was claimed, perhaps sent, and no outcome was stored. It must be looked for
	// in the log before it is sent again.
	InDoubt    bool
	LastSentAt time.Time // zero before the first claim
	Attempts   int       // claims so far
	Fence      int64     // the lease's token; Finish needs it
	NextAt     time.Time // not claimed before
	Problem    string    // reason of the last setback, "" when none
	Inclusion  *Inclusion
}

// Inclusion is a verified record of an entry in a log.
type Inclusion struct {
	// Entry is the transparency log entry with inclusion proof and checkpoint, as Sigstore
	// bundles hold it.
	Entry *rekorpb.TransparencyLogEntry
}
