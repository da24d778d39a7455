// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
)

// anchorTenants is what the names of AnchorTenant begin with.
const anchorTenants = ":own:"

// AnchorTenant returns whose the anchors of an own log are. No caller has a tenant of that name.
func AnchorTenant(log string) string { return anchorTenants + log }

// IsAnchorTenant reports whether what is a tenant's are anchors. A full queue has room for them: an own log has one at a time, and what
// waits for it leaves the queue by no other way.
func IsAnchorTenant(tenant string) bool { return strings.HasPrefix(tenant, anchorTenants) }

// LogOfAnchors returns the own log whose anchors are that tenant's; ok is false where none are.
func LogOfAnchors(tenant string) (log string, ok bool) {
	return strings.CutPrefix(tenant, anchorTenants)
}

// OwnLogs is the side of a Store where the gateway's own logs are kept: the order of their records, the trees over them, and which of
// their checkpoints are anchored. The entries of an own log are enqueued as all are, and never claimed: each gets the next index of the
// log, once and for ever, and is Logged when a checkpoint that covers it is anchored. Move and Retire answer ErrOwnLog for such a log.
type OwnLogs interface {
	OwnCosignatures
	OwnContradictions
	OwnLooks
	Mirrors
	// AddOwnLog makes a log of that ID one of the gateway's own, with that origin. It does nothing where it is one. The error is
	// ErrOtherOrigin where it has another origin, or is a log to which entries were sent.
	AddOwnLog(ctx context.Context, log, origin string) error
	// OwnLog returns the state of an own log. The error is ErrNotFound where there is none.
	OwnLog(ctx context.Context, log string) (OwnLog, error)
	// ListOwnLogs returns the states of all own logs, in the order of their IDs.
	ListOwnLogs(ctx context.Context) ([]OwnLog, error)
	// Sequence gives the entries of an own log that have no index yet the next ones, in the order of their IDs, at most limit of
	// them, and stores the tree and the tiles that grow makes of their leaf hashes; all in one transaction, of which there is one at
	// a time for a log, whoever shares the store. It returns the state then, and how many have got an index; grow is not
	// called for none, and with a limit of 0 it only says whether it would. What grow returns as an error undoes all, and is returned. It may be called again: an engine may undo a transaction
	// for the sake of another one. The error is ErrDoubtFirst while the log is Doubted: then the caller
	// sees to it that the store is not older than what was anchored, and calls DoubtPending, which puts nothing in doubt here. Where the
	// engine went on once more since Sequence has said so, or since AddOwnLog was called, that does nothing, and Sequence says so again.
	Sequence(ctx context.Context, log string, limit int, grow GrowTree) (OwnLog, int, error)
	// OwnTiles reads tiles of an own log's tree, each cut to the width asked for. The error is ErrNotFound where one is not that wide.
	OwnTiles(ctx context.Context, log string, tiles []tiletree.Tile) ([][]byte, error)
	// OwnRecords returns the bodies of an own log's records, from an index on, at most n: fewer at its end.
	OwnRecords(ctx context.Context, log string, from uint64, n int) ([][]byte, error)
	// KeepAnchor notes that the checkpoint of an own log is anchored. It does nothing where one of that size is noted. The error is
	// ErrOtherAnchor where that has another root, or the log is smaller, and ErrDoubtFirst while the log is Doubted.
	KeepAnchor(ctx context.Context, log string, a OwnAnchor) error
	// OwnAnchor returns the smallest anchored checkpoint of an own log that covers a record. The error is ErrNotFound where none does.
	OwnAnchor(ctx context.Context, log string, index uint64) (OwnAnchor, error)
	// LogAnchored has at most limit entries Logged that the last anchored checkpoint covers, in the order of their indexes, in one
	// transaction, and returns how far their submissions are. It returns nothing once there are none left.
	LogAnchored(ctx context.Context, log string, limit int) ([]Progress, error)
	// CloseOwnLog ends an own log for good, where its last anchored checkpoint does, all of which has to be Logged: from then on Sequence,
	// AddOwnLog, and KeepAnchor of what is larger, say ErrOwnLogClosed. What waits for it, records that are not anchored among them, is
	// recorded in another own log instead: all of a submission's entries go over, or none do. What was no record is removed, and what was
	// one has Failed with ProblemRetired, so that the tree stays what it is. All is one transaction. The caller calls again while there is
	// More, and when more was enqueued for the closed log. The error is ErrNotFound where one of the two is no own log, and
	// ErrOwnLogClosed where p.To is closed.
	CloseOwnLog(ctx context.Context, p CloseParams) (Moved, error)
}

// CloseParams are what CloseOwnLog is asked for.
type CloseParams struct {
	Log, To string // IDs
	Limit   int    // of entries that go over in one call
}

// What a Store may answer for own logs.
var (
	// ErrOtherOrigin: the log is there already, and another one.
	ErrOtherOrigin = errors.New("log is there with another origin")
	// ErrOtherAnchor: what would be anchored is not a state of the own log.
	ErrOtherAnchor = errors.New("not a checkpoint of the own log")
	// ErrOwnLog: what was asked for is not done with a log of the gateway's own, whose records are never given up or moved.
	ErrOwnLog = errors.New("log is the gateway's own")
	// ErrOwnLogClosed: the own log has ended, and another one has taken over.
	ErrOwnLogClosed = errors.New("own log is closed")
)

// GrowTree returns the tree with further records, given by their leaf hashes, and the tiles that differ then; see tiletree.AppendRecords.
type GrowTree func(old tiletree.Tree, leaves []LeafHash, read tiletree.ReadTiles) (tiletree.Tree, []tiletree.TileData, error)

// OwnLog is the state of a log of the gateway's own.
type OwnLog struct {
	ID     string
	Origin string
	Closed bool // by CloseOwnLog
	// Doubted: the store may be an older copy. It was put back since the log was last sequenced, or the engine went on in a way in which Claim
	// says ErrDoubtFirst. It stays so, whoever opens the store, until DoubtPending is called.
	Doubted  bool
	Tree     tiletree.Tree
	Anchored OwnAnchor // the last one, of size 0 before the first
	Logged   uint64    // how many records, from the first on, have become Logged
}

// OwnAnchor is a checkpoint of an own log that is recorded in other logs.
type OwnAnchor struct {
	tiletree.Tree
	Submission string // by which it is recorded: its ID, of AnchorTenant
}

// KindOwnRecord is the kind of the inclusion of an entry in an own log, as Archived returns it. Its proof is empty: it is made of the
// log's tiles and of the anchor, when a receipt is.
const KindOwnRecord = "own"
