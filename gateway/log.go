// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// SendLease is how long a process may send what it has claimed, before it extends its lease. So long after a process was last able to use its
// store, nothing that it has claimed is on the way to a log any more.
const SendLease = 15 * time.Second

// LogInfo describes a log.
type LogInfo struct {
	ID         string // its name in the configuration; stable, in rows and metric labels
	Shard             // the one that is written to now
	APIVersion int    // Rekor's major version
	// Retired: no key of the log is in use now, so that nothing may be sent to it. Shard is the last one.
	Retired bool
	// IntegrationDelay is how long the log may take to include what it was sent, as its operator promises.
	IntegrationDelay time.Duration
	// InlineMax is how many bytes an artifact may have that is sent with its entry; 0: none is.
	InlineMax int64
	// ByHash: there are no tiles, and Find asks for each leaf by itself, whatever the range. That one is absent is the log's word.
	ByHash bool
}

// Offer is what a log is asked to record: one of its fields is set. Each kind of log has its own
// entry kind for it, or refuses it.
type Offer struct {
	// Projection is the signer's own signature over a digest: NATIVE or PROJECTED. Accepts looks
	// at its Candidate alone, since that is all a plan knows.
	Projection *formats.Projection
	// Certificate, with Projection: log the signer's certificate, not the bare key.
	Certificate bool
	// Statement is the gateway's own: ATTESTED. Accepts is asked with an empty one.
	Statement *SignedStatement
	// Whole is the signature with all that it is over, for logs that have an entry kind for its format: NATIVE. Accepts is asked
	// with a Size of 0 while that is not known, and with nothing but the format where there is no such entry of the signature.
	Whole *Whole
}

// SignedStatement is a gateway's statement on a submission, signed as DSSE.
type SignedStatement = receipt.SignedStatement

// Whole is a signature that is recorded by a log that has to see all that it is over: what is sent has the artifact's bytes, and the entry their digest,
// or both have what was signed itself (Embedded).
type Whole struct {
	formats.Whole
	SPKI   []byte            // the signer's; the first one's of several
	SHA256 [sha256.Size]byte // of the artifact
	Size   int64             // of the artifact in bytes; -1 where its bytes were not seen
}

// FormerShard is a shard of a log that is not written to any more, and can still be read.
type FormerShard struct {
	Shard
	// Closed: the operator says that nothing will be included in it any more. What its checkpoint does
	// not have then is not in it.
	Closed bool
}

// Recorder is the side of a log by which its entries are made. Methods are safe for concurrent use.
type Recorder interface {
	// Describe returns what the log is now.
	Describe() LogInfo
	// Accepts reports whether the log takes o: nil, or the typed reason with the remedy.
	Accepts(o Offer) error

	// Prepare checks all that the log would check of o (its own refusals say nothing), encodes it,
	// and returns beside it the receipt's entry, still without its proof. Errors are *formats.Error.
	Prepare(o Offer) (Prepared, *receiptpb.LogEntry, error)
}

// Log is one logical log; shards rotate behind it, at any time. Methods are safe for concurrent use. What
// every adapter has to keep is held by the conformance run in gateway/rekor/logtest.
type Log interface {
	Recorder

	// Former returns the other shards that can be read now, in no order.
	Former() []FormerShard

	// TreeOf returns the shard in whose tree that of shard is proven to go on, under another key: what was
	// sent to shard is looked for there. It is shard itself where none is. Errors: ErrUnavailable.
	TreeOf(ctx context.Context, shard Shard) (Shard, error)

	// Size returns a shard's size by a checkpoint fetched now and verified, the signature as
	// well as the consistency with the last one kept. Errors: ErrFork, ErrUnavailable (also of a shard
	// that is neither the current nor a former one), ErrBadAnswer.
	Size(ctx context.Context, shard Shard) (uint64, error)

	// Add sends the entry to shard, as long as CheckSend lets it, and returns once its inclusion is verified: body, proof, checkpoint
	// signature, consistency. A duplicate returns the existing inclusion. Errors: an
	// *OverloadError, ErrRefused, ErrForbidden, ErrFork, ErrNotSent (also when shard is not the current
	// one), or anything else, which means that the outcome is unknown (ErrBadAnswer among them) and
	// must be settled with Find.
	Add(ctx context.Context, shard Shard, p Prepared) (*Inclusion, error)

	// Find looks for leaves in a shard, at indexes from the first one given up to, and without, to, or the
	// shard's size by a checkpoint fetched now. Errors are Size's; what was shown before is returned
	// beside them. Where each leaf is asked for by itself (LogInfo.ByHash), one that cannot be is in Found.Failed, and no error of Find.
	Find(ctx context.Context, shard Shard, leaves []LeafHash, from, to uint64) (Found, error)
}

// EntryReader is the side of a Log by which all of its entries can be read. A Log need not have it.
type EntryReader interface {
	// EachEntry calls f with each entry of a shard from an index on, in order, up to the shard's size by a checkpoint fetched now,
	// and proven to be in it. Errors are f's and Size's.
	EachEntry(ctx context.Context, shard Shard, from uint64, f func(index uint64, body []byte) error) error
}

type sendCheckKey struct{}

// WithSendCheck returns a context for Add in which an entry may be sent only while check returns nil.
func WithSendCheck(ctx context.Context, check func() error) context.Context {
	return context.WithValue(ctx, sendCheckKey{}, check)
}

// CheckSend returns what the check of ctx says, nil where there is none. A Log asks as late as it can, and whenever it sends again what a
// connection has lost: a process may be stopped at any point before, for longer than the entry is its own.
func CheckSend(ctx context.Context) error {
	check, ok := ctx.Value(sendCheckKey{}).(func() error)
	if !ok {
		return nil
	}
	return check()
}

// Found is what Find has found.
type Found struct {
	Inclusions map[LeafHash]*Inclusion // verified, of those present
	// AbsentTo is how far the others are proven absent: from the index asked for up to, and without,
	// this one. It is less where the log is smaller than that.
	AbsentTo uint64
	// Failed are leaves that could not be asked for by themselves, and why: nothing is known of them.
	Failed map[LeafHash]error
	// Doubled is how often one of the leaves was met again after it was found: it is logged twice.
	Doubled int
}

// What a Log may answer. They are matched with errors.Is.
var (
	// ErrNotSent: the entry certainly did not reach the log; it may be sent again at once.
	ErrNotSent = errors.New("entry not sent")
	// ErrOtherKind is ErrNotSent for an entry that was made for another kind of log: the id became that of another log, or entries were
	// moved to it. It says nothing of this log.
	ErrOtherKind = fmt.Errorf("%w: it was made for another kind of log", ErrNotSent)
	// ErrRefused: the log will never take this entry; nothing was logged.
	ErrRefused = errors.New("refused by the log")
	// ErrTooLarge is ErrRefused for an entry with its artifact, which is larger than the log, or what stands before it, takes. It says nothing
	// of the log, which takes smaller ones.
	ErrTooLarge = fmt.Errorf("%w: it is too large with its artifact", ErrRefused)
	// ErrForbidden: the log does not let this gateway in; nothing was logged. That is the operator's to
	// mend, and the entry waits for it.
	ErrForbidden = errors.New("the log does not let this gateway in")
	// ErrUnreadable: what is stored of an entry cannot be read back; it was not sent.
	ErrUnreadable = errors.New("stored entry cannot be read")
	// ErrBadAnswer: the log answered with something that does not verify.
	ErrBadAnswer = errors.New("log answered wrongly")
	// ErrUnavailable: the log cannot be read now.
	ErrUnavailable = errors.New("log unavailable")
	// ErrFork: the log signed two checkpoints that contradict each other. The evidence is
	// kept (Fork) and nothing more may be submitted to it.
	ErrFork = errors.New("log is forked")
)

// OverloadError says that the log is busy; the entry was not logged, unless it is in doubt.
type OverloadError struct {
	RetryAfter time.Duration // zero when the log did not say
	InDoubt    bool          // whoever said so may have passed the entry on to the log
}

// Error says how long to wait.
func (e *OverloadError) Error() string {
	return fmt.Sprintf("log is overloaded, retry after %v", e.RetryAfter)
}
