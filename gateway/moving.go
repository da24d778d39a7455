// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"errors"
	"fmt"
	"time"
)

// MoveParams are what Move is asked for. The logs take the same bodies: they are of one API version.
type MoveParams struct {
	From, To string // IDs of logs
	// Planned moves only submissions that were planned so, NewSubmission.Takeover, and none to a log that has
	// refused one of its entries. Without it an operator decides, and a refused entry is sent once more.
	Planned bool
	// InDoubt moves what is in doubt as well, and what is under way: it may be logged in both logs then.
	InDoubt bool
	After   QueuePlace // where the last call ended
	Limit   int        // of entries that are looked at
}

// QueuePlace is a place in the queue of a log. Zero is its beginning.
type QueuePlace struct {
	QueuedAt int64 // milliseconds, by the store's clock
	EntryID  int64
}

// Moved is what one call of Move did.
type Moved struct {
	Entries     int // that do not wait for From any more
	Submissions int // that were moved
	Kept        int // of the entries that were looked at, those that stay
	Next        QueuePlace
	More        bool       // the queue goes on after Next
	Changed     []Progress // how far the submissions are that were moved, or changed by that
}

// RetireParams are what Retire is asked for.
type RetireParams struct {
	Log string
	// GiveUpDoubt gives up what is in doubt or under way as well, although it may be logged.
	GiveUpDoubt bool
	Limit       int // of entries given up in one call
}

// Retired is what one call of Retire did.
type Retired struct {
	GivenUp int
	More    bool     // there are more
	Changed []string // IDs of submissions that were settled or changed
}

// ErrRetired: the log is retired, and nothing is to wait for it.
var ErrRetired = errors.New("log is retired")

// UnsettledError says that the fate of entries is not known, so that they cannot be given up.
type UnsettledError struct {
	InDoubt, Leased int // entries
}

// Error says how many there are.
func (e *UnsettledError) Error() string {
	return fmt.Sprintf("%d entries are in doubt and %d under way", e.InDoubt, e.Leased)
}

// LogStatus is what a store has of one log.
type LogStatus struct {
	Log     string
	Pending int
	InDoubt int           // of those, without the leased
	Leased  int           // of those, under way now
	Oldest  time.Duration // how long ago the oldest pending entry was queued
	Retired bool
	Shards  []ShardStatus // in which there are entries, in the order of their names
}

// ShardStatus is what a store has of one shard of a log.
type ShardStatus struct {
	Shard
	Pending, InDoubt int     // as in LogStatus
	Size             *uint64 // of the checkpoint that is kept; nil: none
	Forked           bool    // evidence of a fork is kept
}
