// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
)

// LogInfo describes a log.
type LogInfo struct {
	ID         string // its name in the configuration; stable, in rows and metric labels
	Shard             // whose checkpoints are read now
	APIVersion int    // Rekor's major version
}

// Log is one logical log; shards rotate behind it. Methods are safe for concurrent use.
// Each adapter passes the conformance run in rekor/logtest.
type Log interface {
	Describe() LogInfo

	// Accepts reports whether the log takes c: nil, or the typed reason with the remedy.
	Accepts(c formats.Candidate) error

	// Prepare checks all that the log would check of r (its own refusals say nothing) and
	// encodes it. Errors are *formats.Error.
	Prepare(r hashedrekord.Record) (NewEntry, error)

	// Size returns the log's size by a checkpoint fetched now and verified, the signature as
	// well as the consistency with the last one kept. Errors: ErrFork, ErrUnavailable.
	Size(ctx context.Context) (uint64, error)

	// Add sends the entry and returns once its inclusion is verified: body, proof, checkpoint
	// signature, consistency. A duplicate returns the existing inclusion. Errors: an
	// *OverloadError, ErrRefused, ErrFork, ErrNotSent, or anything else, which means that the
	// outcome is unknown (ErrBadAnswer among them) and must be settled with Find.
	Add(ctx context.Context, e Entry) (*Inclusion, error)

	// Find looks for leaves at index from and later, by a checkpoint fetched now, and
	// returns verified inclusions of those present. Absence means absent from that
	// checkpoint. Errors: ErrFork, ErrUnavailable, ErrBadAnswer.
	Find(ctx context.Context, leaves []LeafHash, from uint64) (map[LeafHash]*Inclusion, error)
}

// What a Log may answer. They are matched with errors.Is.
var (
	// ErrNotSent: the entry certainly did not reach the log; it may be sent again at once.
	ErrNotSent = errors.New("entry not sent")
	// ErrRefused: the log will never take this entry; nothing was logged.
	ErrRefused = errors.New("refused by the log")
	// ErrBadAnswer: the log answered with something that does not verify.
	ErrBadAnswer = errors.New("log answered wrongly")
	// ErrUnavailable: the log cannot be read now.
	ErrUnavailable = errors.New("log unavailable")
	// ErrFork: the log signed two checkpoints that contradict each other. The evidence is
	// kept (Fork) and nothing more may be submitted to it.
	ErrFork = errors.New("log is forked")
)

// OverloadError says that the log is busy; the entry was not logged.
type OverloadError struct {
	RetryAfter time.Duration // zero when the log did not say
}

// Error says how long to wait.
func (e *OverloadError) Error() string {
	return fmt.Sprintf("log is overloaded, retry after %v", e.RetryAfter)
}
