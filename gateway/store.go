// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Store keeps submissions, entries and checkpoints. What a method changed is durable
// (fsynced) when it returns nil, and wholly undone when it returns an error. Methods are safe
// for concurrent use; several processes may share one store where its engine allows it. Each room
// takes the side that it needs.
//
// Leases and due times go by the store's clock, which all processes that share it have in common;
// callers give and get durations. What is hot (states, leases, what lists show) is apart from what is
// cold (receipts, bodies, inclusions): only Claim and OwnRecords read bodies, and only Archived and GetAll the rest.
type Store interface {
	Queue
	Work
	Reader
	Checkpoints
	LogKeeping
	AuditTrail
	OwnLogs
	BlobStore

	// Incarnation says which store this is, as long as it is open.
	Incarnation() Incarnation
}

// Incarnation names one life of a store, from one opening to the next.
type Incarnation struct {
	ID string // opaque; another one at each opening, or, of a server, where another copy of the data is opened
	// Restored: what was opened is not what was last written, so that an older state was put in its
	// place. That it is false proves nothing: a whole folder may have been put back.
	Restored bool
	// Copied: what was opened is as it was last written, by all that it says itself, but in a copy of
	// the file: a whole folder was put back, or moved. It is never set together with Restored.
	Copied bool
}

// Queue is the side of a Store where submissions come in.
type Queue interface {
	// Enqueue stores subs in one transaction and returns what became of each, in the same order;
	// CreatedAt and the order in the queue are those of storing. One whose key, or one of whose former
	// keys, is known (earlier, or earlier in subs) returns the existing row with Existing set; if that
	// is Failed, its failed entries are made Pending again first. An entry whose log and leaf hash are
	// known is shared, in whatever state it is. One that is new counts against its Quotas, in the same
	// transaction; of several processes on one store, each may exceed a quota by what the others store meanwhile.
	// One that cannot be stored has an Err of its own, and takes no other with it. The error beside is a failure of
	// the store: then nothing is stored.
	Enqueue(ctx context.Context, subs []NewSubmission) ([]Enqueued, error)
}

// Enqueued is what became of one submission.
type Enqueued struct {
	Submission Submission // unless Err is set
	// Err is nil, ErrQueueFull when more than the configured number of entries, or of bytes, would be
	// pending, the anchors of own logs aside, a *QuotaError, ErrBlobGone where an entry's blob is not there as it says, ErrUnstorable, or
	// ErrDoubtFirst for an anchor of an own log that is Doubted: it may have been signed for another state.
	Err error
}

// Work is the side of a Store from which entries go to their logs.
type Work interface {
	// Claim leases pending entries of one log for p.Lease: those due and not in doubt. Interactive ones go
	// before Backfill; of each priority the tenants have one entry each in turn, within a claim and from one
	// to the next by this process; of a tenant the oldest is first. One of BackfillShare is Backfill that has
	// waited for BackfillAge, where there is any, in turns as well. An entry belongs to the tenant of the first
	// submission that needs it, at the highest priority of all that do. The cost depends on what is claimed, and
	// on nothing else: not on what is pending, or waits for its time, nor on how many tenants there are. It
	// returns no more than p.Limit, nor than p.InFlight minus the entries leased now. One whose body cannot be read
	// back is claimed without, and takes no other with it. Backfill that is claimed for want of anything else Yields. A claimed entry gets a new Fence, one more attempt, LastSentAt = now,
	// and Shard and SentAtTreeSize of p, unless it has them of that shard already. InDoubt and LastSentAt
	// are returned as they were before this claim; the stored row is in doubt from here until Finish. The error is
	// ErrDoubtFirst, and nothing is claimed, where the store's engine went on, while this store was open, with what may be an
	// older state, until DoubtPending was called for the log, by this process or another one that shares the store.
	Claim(ctx context.Context, p ClaimParams) ([]Claimed, error)

	// Extend prolongs leases to end lease from now and sets their entries' LastSentAt to now, so that
	// the entries of a process that dies are soon free. It returns the leases that are lost.
	Extend(ctx context.Context, leases []Lease, lease time.Duration) (lost []Lease, err error)

	// Finish stores outcomes and releases their leases, in one transaction. Outcomes whose
	// fence is no longer the entry's are not applied; the error is then ErrLeaseLost, with
	// all others applied. It returns how far the submissions of those are that were logged or failed.
	Finish(ctx context.Context, outcomes []Outcome) ([]Progress, error)

	// Doubtful returns pending entries of a shard that are in doubt and that nobody has a lease on, in the
	// order of their IDs.
	Doubtful(ctx context.Context, p DoubtParams) ([]Doubt, error)

	// CountDoubtful counts what Doubtful returns of a log, by shard; the zero Shard is one that is not known.
	CountDoubtful(ctx context.Context, log string) (map[Shard]int, error)

	// Settle stores what a search has shown of doubtful entries, in one transaction. Those that are not in
	// doubt any more, that somebody has a lease on, or whose fence has changed, are left alone; the error is
	// then ErrLeaseLost, with all others applied. It returns how far the submissions of those are that were logged.
	Settle(ctx context.Context, settlements []Settlement) ([]Progress, error)

	// DoubtPending puts in doubt what of a log is pending, and returns how many that are: a store cannot know
	// whether it is an older copy of itself. What it says was never sent is looked for from the size of the
	// checkpoint on that was kept for the shard when this process, or this life of the engine, began, whatever was kept since; or, where none was
	// kept, is left alone. So is what was sent to another shard without doubt, but for a known copy and where Claim says ErrDoubtFirst: it counts
	// as never sent there. It does nothing while anybody has a lease on an entry of the log: where Claim says ErrDoubtFirst, it
	// says so still then. There, and in a known copy, leases of before are worth nothing, and what was pending counts as sent until then;
	// in the copy, what came since it was opened does not.
	// Of a log of the gateway's own nothing is put in doubt.
	DoubtPending(ctx context.Context, log string, shard Shard) (int, error)

	// Move has submissions recorded in another log than one for which they wait: all of a submission's entries
	// in p.From go over, or none do. They go only if one of them waits, none is in doubt or leased, and the
	// submission has no entry in p.To yet. An entry of p.To with the same leaf hash is shared, in whatever state
	// it is; else it is new there, as old in the queue as it was, and in doubt if it was queued when DoubtPending of p.To
	// found a known copy, or what Claim called ErrDoubtFirst: it may have been there before. What nobody waits for in p.From any more is
	// removed, unless it has settled, or given up as by Retire where it is in doubt. All is one transaction. The error is ErrRetired where p.To is, and,
	// unless p.InDoubt is set, ErrDoubtFirst where Claim would say so of p.From.
	Move(ctx context.Context, p MoveParams) (Moved, error)

	// RetiredLogs returns the IDs of the logs that are retired, in order.
	RetiredLogs(ctx context.Context) ([]string, error)

	// Stats counts entries, for the worker, metrics and readiness.
	Stats(ctx context.Context) (Stats, error)

	// Lines says what stands in line for each log that something is pending for, for metrics: what is pending, and
	// neither under way, in doubt, nor waiting for its time. Its cost is bounded, whatever stands in line.
	Lines(ctx context.Context) ([]Line, error)
}

// LogKeeping is the side of a Store by which operators see what waits for each log, and give it up.
type LogKeeping interface {
	// ListLogs returns all logs for which there have been entries, in the order of their IDs.
	ListLogs(ctx context.Context) ([]LogStatus, error)

	// Retire retires a log and gives up what is pending for it: the entries have Failed, with
	// ProblemRetired, and their submissions follow. Nothing is claimed for it from then on, and what is
	// enqueued for it has Failed at once. The caller calls again while there is More. It changes nothing where
	// entries are in doubt or leased, unless p says otherwise: the error is an *UnsettledError. It is
	// ErrNotFound for a log for which there have been no entries.
	Retire(ctx context.Context, p RetireParams) (Retired, error)

	// Reinstate takes back that a log is retired. What was given up stays so. The error is ErrNotFound where it
	// is not retired.
	Reinstate(ctx context.Context, log string) error
}

// Reader is the side of a Store where callers look things up.
type Reader interface {
	// Get returns the tenant's submission. The error is ErrNotFound for another tenant's, too.
	Get(ctx context.Context, tenant, id string) (Submission, error)

	// GetAll returns those of the submissions with these IDs that are the tenant's, in one reading, by their IDs as they are
	// given. Archived of those that are Logged is set, the first in the order of storing first, as far as that is MostArchived bytes for
	// all, and for the first in any case. Where one of them is damaged, it may be set for none.
	GetAll(ctx context.Context, tenant string, ids []string) (map[string]Submission, error)

	// Progress returns how far the submissions with these IDs are, of any tenant, in no order. Those that are
	// not there are left out.
	Progress(ctx context.Context, ids []string) ([]Progress, error)

	// Archived returns what is cold of the tenant's submission; errors are Get's.
	Archived(ctx context.Context, tenant, id string) (Archived, error)

	// ByLeaf returns a submission of the tenant's that has an entry with this leaf hash in log.
	// The error is ErrNotFound, where other tenants have one, too.
	ByLeaf(ctx context.Context, tenant, log string, leaf LeafHash) (Submission, error)

	// EachAttested calls f with each entry, of any tenant, that records an Attested signature and has
	// not Failed, and with its body, once and in no order. The Entry's Of is not set. What f returns
	// ends it, and is returned. It reads all that is stored, and must not be called from f.
	EachAttested(ctx context.Context, f func(e Entry, body []byte) error) error

	// List returns the tenant's submissions, newest first, and the token of the next page,
	// "" on the last. The error is ErrBadPageToken for a token that List did not make.
	List(ctx context.Context, tenant string, p ListParams) ([]Submission, string, error)

	// ListAudit returns the tenant's records of the audit trail, newest first, and the token of the next page, "" on the last. The error is
	// ErrBadPageToken for a token that ListAudit did not make.
	ListAudit(ctx context.Context, tenant string, p AuditParams) ([]AuditRecord, string, error)
}

// MostArchived bounds what is cold that GetAll returns, beyond the first submission's, in bytes: of usual ones it holds fifty.
const MostArchived = 256 << 10

// What a Store may answer. They are matched with errors.Is.
var (
	ErrNotFound   = errors.New("no such submission")
	ErrLeaseLost  = errors.New("lease lost")
	ErrQueueFull  = errors.New("queue is full")
	ErrUnstorable = errors.New("submission is not one that can be stored")
	// ErrStoreUnavailable: the store's disk fails, is full, or is locked. Nothing was done, as far as the
	// store can know, and the same may be tried again.
	ErrStoreUnavailable = errors.New("store unavailable")
	ErrBadPageToken     = errors.New("malformed page token")
	// ErrDoubtFirst: the store is not, or not certainly, as it was when what is pending for a log was last put
	// in doubt, so that nothing may be sent to it: DoubtPending comes first.
	ErrDoubtFirst = errors.New("what is pending must be put in doubt first")
)

// ClaimParams are what Claim is asked for.
type ClaimParams struct {
	Log      string
	Lease    time.Duration
	Limit    int
	InFlight int    // bound on leased entries of this log, over all processes; those that claim at the same moment may exceed it by a claim each
	Shard    Shard  // the one that is written to now
	TreeSize uint64 // the shard's size now
}

// Lease is the right to send an entry and to Finish it.
type Lease struct {
	EntryID int64
	Fence   int64
}

// Outcome is what became of a claimed entry. Exactly one of Inclusion, Fail and Retry is set.
type Outcome struct {
	EntryID   int64
	Fence     int64
	Inclusion *Inclusion // logged
	Tokens    [][]byte   // with Inclusion: RFC 3161 timestamps over the entry's signature, DER
	Fail      bool       // refused for good
	// Next are the IDs of logs to which submissions go that would fail by this outcome, and were planned so
	// (NewSubmission.Takeover), as by Move: the first of them that may. Theirs are the same bodies.
	Next    []string
	Retry   bool          // not yet
	RetryIn time.Duration // with Retry: not claimed before
	Untried bool          // with Retry: it was not sent, and the claim is no attempt
	// InDoubt, with Retry: it may have been logged.
	InDoubt bool
	Problem string // machine-readable reason, for Fail and Retry
}

// DoubtParams are what Doubtful is asked for.
type DoubtParams struct {
	Log   string
	Shard Shard
	// Unknown: those whose shard is not known are returned, too.
	Unknown bool
	After   int64 // an entry's ID: only later ones are returned
	Limit   int
}

// Doubt is an entry in doubt.
type Doubt struct {
	Entry
	// SentAgo is for how long it has certainly not been under way to the log, at least, by a clock that
	// nobody sets: its lease has ended, or it came back without an outcome.
	SentAgo time.Duration
}

// Settlement is what a search has shown of a doubtful entry: its inclusion, or how far it is absent.
type Settlement struct {
	EntryID   int64
	Fence     int64
	Inclusion *Inclusion // found: logged
	AbsentTo  uint64     // without Inclusion: how far absence is proven now; it only grows
	// Resend, without Inclusion: the absence counts; the entry is not in doubt any more, and due once
	// the time of its last Outcome's RetryIn is over.
	Resend bool
}

// Submissions on a page of List: what it holds when nobody asks, and what it holds at most.
const (
	DefaultPageSize = 100
	MaxPageSize     = 1000
)

// ListParams filter and page List.
type ListParams struct {
	Artifact  *formats.Digest
	Signer    *[32]byte
	State     State // "" is any
	PageSize  int   // 0 or less is DefaultPageSize; more than MaxPageSize is that
	PageToken string
}

// Line is what stands in line for a log at one priority.
type Line struct {
	Log      string
	Priority Priority
	Entries  int           // counted up to MaxLine
	Oldest   time.Duration // how long ago the oldest was queued, of MaxLineTenants where there are more
	First    int64         // the least ID of the tenants' oldest entries, of as many tenants; those that are behind have larger ones as a rule
}

// What Store.Lines looks at in one line, at most.
const (
	MaxLine        = 10_000 // entries
	MaxLineTenants = 1000
)

// StuckAttempts is how often an entry was tried that counts as stuck.
const StuckAttempts = 10

// Stats are counts over all tenants.
type Stats struct {
	Pending      map[string]int           // entries not yet logged, by log
	PendingBytes map[string]int64         // what is stored for those, as bounded by MaxPendingBytes, by log
	Leased       map[string]int           // of those, leased now
	Stuck        map[string]int           // of those, tried StuckAttempts times or more
	Oldest       map[string]time.Duration // how long ago the oldest pending entry was queued, by log
}
