// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"slices"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// Representation is how a signature is recorded.
type Representation string

// The representations, best first.
const (
	Native    Representation = "NATIVE"
	Projected Representation = "PROJECTED"
	Attested  Representation = "ATTESTED"
)

// representations are all, best first.
var representations = []Representation{Native, Projected, Attested}

// Way is where a signature is recorded.
type Way string

// The ways.
const (
	// Direct: an entry in the log itself.
	Direct Way = "DIRECT"
	// Batched: a record in the gateway's own log, whose checkpoints are entries in the log itself.
	Batched Way = "BATCHED"
)

// SubmissionKey recognises the same submission: a SHA-256 over the tenant and all that decides what
// is recorded and how its receipt verifies, and never over a policy's name or settings. Package
// intake computes it.
type SubmissionKey [32]byte

// RecordedSignature is one signature of a submission as it is recorded. A submission usually has one.
// All signatures of TUF metadata together count as one.
type RecordedSignature struct {
	Signers        [][32]byte // SHA-256 of the SPKIs
	Representation Representation
	Way            Way
	Evidence       formats.Evidence // the weakest of what it was verified with
}

// SubmissionFields are what never changes of a submission and is read with every list.
type SubmissionFields struct {
	ID         string // UUIDv7
	Tenant     string
	Key        SubmissionKey
	Format     string
	Digests    []formats.Digest // the artifact's
	Signatures []RecordedSignature
	// Labels are the submitter's own words, as he first sent them: the same submission sent again with others
	// keeps these, and is answered with them. What another tenant sends is never the same submission.
	Labels map[string]string
	// Needed is how many logs must have all of the submission's entries for it to be Logged.
	Needed int
}

// Representation returns the weakest of all signatures', for display.
func (f *SubmissionFields) Representation() Representation {
	all := make([]Representation, len(f.Signatures))
	for i, s := range f.Signatures {
		all[i] = s.Representation
	}
	return Weakest(all...)
}

// Weakest returns the weakest of the representations: "" when there are none, or one is "".
func Weakest(all ...Representation) Representation {
	weakest := 0
	for _, r := range all {
		at := slices.Index(representations, r)
		if at < 0 {
			return ""
		}
		weakest = max(weakest, at)
	}
	if len(all) == 0 {
		return ""
	}
	return representations[weakest]
}

// Signers returns the SHA-256 of the SPKIs of all who signed, sorted, each once.
func (f *SubmissionFields) Signers() [][32]byte {
	var all [][32]byte
	for _, s := range f.Signatures {
		all = append(all, s.Signers...)
	}
	slices.SortFunc(all, func(a, b [32]byte) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(all)
}

// NewSubmission is a verified submission on its way into the store.
type NewSubmission struct {
	SubmissionFields
	// FormerKeys are those under which an earlier release may have stored the same submission. What has one of these, or Key,
	// for its own has the same Digests, since all of them enter a key: a Store may rely on that.
	FormerKeys []SubmissionKey
	Priority   Priority
	// Takeover are the IDs of all logs that may take its entries over from one another, sorted; none: each entry
	// stays with its log.
	Takeover []string
	// Quotas are those that it counts against if it is new, each of another subject.
	Quotas []Quota
	// Audit is where it comes from, for its record in the audit trail, which is kept in the same transaction; nil: none is.
	Audit   *AuditOrigin
	Receipt *receiptpb.Receipt // its entries are still without proofs
	Entries []NewEntry         // at least one; their positions are their roles
}

// Submission is a stored submission with its entries: what is hot of it. The receipt and the proofs
// are read by Reader.Archived.
type Submission struct {
	SubmissionFields
	// Priority is the highest that it was sent with while it was not settled.
	Priority  Priority
	CreatedAt time.Time // when it was stored, by the store's clock, to the millisecond
	State     State
	Entries   []Entry // in the order of their roles
	// Existing is set by Enqueue when the key was known: the row is the earlier one's.
	Existing bool
	// Archived is what is cold of it, where that is at hand; nil: Reader.Archived reads it. Of a Store only GetAll sets it.
	Archived *Archived
}

// Archived is what is cold of a submission: it is read when a receipt or a statement is asked for,
// and never for a list, a claim or a wait.
type Archived struct {
	Receipt *receiptpb.Receipt
	Entries []ArchivedEntry // in the order of their roles
}

// ArchivedEntry is what is cold of an entry.
type ArchivedEntry struct {
	Body      []byte
	Inclusion *Inclusion // nil before it is Logged
	Tokens    [][]byte   // RFC 3161 timestamps over the entry's signature, DER
}
