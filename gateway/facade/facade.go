// SPDX-License-Identifier: Apache-2.0

package facade

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/ownlog"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekorjson"
)

// Store is what a facade needs of a gateway.Store.
type Store interface {
	gateway.Mirrors
	Enqueue(ctx context.Context, subs []gateway.NewSubmission) ([]gateway.Enqueued, error)
	Archived(ctx context.Context, tenant, id string) (gateway.Archived, error)
	ByLeaf(ctx context.Context, tenant, log string, leaf gateway.LeafHash) (gateway.Submission, error)
	List(ctx context.Context, tenant string, p gateway.ListParams) ([]gateway.Submission, string, error)
	OwnLog(ctx context.Context, log string) (gateway.OwnLog, error)
	ListOwnLogs(ctx context.Context) ([]gateway.OwnLog, error)
	OwnRecords(ctx context.Context, log string, from uint64, n int) ([][]byte, error)
}

// Config is what a Facade is made of. Every field is needed, Former aside.
type Config struct {
	Store Store
	// Source is the ID of the log of Rekor v2 whose entries are recorded again.
	Source string
	// Own is the current tree's log.
	Own *ownlog.Log
	// Current is the tree that is written to, and Former are those before, the first one first. Each of them is closed before Current is read.
	Current Tree
	Former  []Tree
	// Await returns once a submission that was stored is settled, or ctx ends, with sub as it is then.
	Await  func(ctx context.Context, sub *gateway.Submission) error
	Logger *slog.Logger
}

// Facade is a log as clients of Rekor v1 see it. Methods are safe for concurrent use.
type Facade struct {
	cfg    Config
	wake   chan struct{}            // has room for one
	starts atomic.Pointer[[]uint64] // of all trees; nil: a former one was not closed when it was looked last
}

// New returns a facade in which nothing happens until Run. What becomes Logged from then on is listed. The error is ErrOtherFormer where the current tree
// does not go on from the former ones.
func New(ctx context.Context, cfg Config) (*Facade, error) {
	f := &Facade{cfg: cfg, wake: make(chan struct{}, 1)}
	if err := checkFormer(ctx, cfg.Store, f.trees()); err != nil {
		return nil, err
	}
	if err := cfg.Store.AddMirror(ctx, cfg.Source); err != nil {
		return nil, fmt.Errorf("opening the log for clients of Rekor v1: %w", err)
	}
	return f, nil
}

func leafHash(body []byte) gateway.LeafHash { return hashedrekord.LeafHash(body) }

// trees returns all, the first one first.
func (f *Facade) trees() []Tree { return append(slices.Clone(f.cfg.Former), f.cfg.Current) }

// readStarts returns the index over all trees of each tree's first record. The error is gateway.ErrUnavailable while a former one is not closed.
func (f *Facade) readStarts(ctx context.Context) ([]uint64, error) {
	if starts := f.starts.Load(); starts != nil {
		return *starts, nil
	}
	starts := []uint64{0}
	for i, t := range f.cfg.Former {
		state, err := f.cfg.Store.OwnLog(ctx, t.Log)
		if err != nil {
			return nil, err
		}
		if !state.Closed {
			return nil, fmt.Errorf("%w: the former tree %d has not ended yet", gateway.ErrUnavailable, t.ID)
		}
		starts = append(starts, starts[i]+state.Anchored.Size)
	}
	f.starts.Store(&starts)
	return starts, nil
}

// isCertain is gateway.ErrUnavailable while nothing may be signed, since the store may be older than what was signed before.
func (f *Facade) isCertain() error {
	if !f.cfg.Own.IsCertain() {
		return fmt.Errorf("%w: it is not known that the store is the latest state of the log", gateway.ErrUnavailable)
	}
	return nil
}

// Info returns the states of the trees. The error is gateway.ErrUnavailable where it is not known whether more was shown of the current one than is known.
func (f *Facade) Info(ctx context.Context) (info rekorjson.LogInfo, err error) {
	if _, err := f.readStarts(ctx); err != nil {
		return info, err
	}
	if info.TreeInfo, err = f.readCurrentInfo(ctx); err != nil {
		return rekorjson.LogInfo{}, err
	}
	for _, t := range f.cfg.Former {
		one, err := t.readInfo(ctx)
		if errors.Is(err, gateway.ErrNotFound) {
			continue // nothing was ever recorded in it
		}
		if err != nil {
			return rekorjson.LogInfo{}, err
		}
		info.InactiveShards = append(info.InactiveShards, one)
	}
	return info, nil
}

// readCurrentInfo returns the state of the current tree, which has no records before anything is anchored. That it has none is said only where it is known
// never to have had any.
func (f *Facade) readCurrentInfo(ctx context.Context) (rekorjson.TreeInfo, error) {
	info, err := f.cfg.Current.readInfo(ctx)
	if !errors.Is(err, gateway.ErrNotFound) {
		return info, err
	}
	if err := f.isCertain(); err != nil {
		return rekorjson.TreeInfo{}, err
	}
	head, err := f.cfg.Own.SignEmpty()
	return f.cfg.Current.newInfo(head), err
}

// findTree returns a tree by its ID; 0 is the current one.
func (f *Facade) findTree(id int64) (Tree, error) {
	if id == 0 {
		return f.cfg.Current, nil
	}
	for _, t := range f.trees() {
		if t.ID == id {
			return t, nil
		}
	}
	return Tree{}, fmt.Errorf("%w: there is no tree %d", gateway.ErrNotFound, id)
}

// PublicKey returns the key of a tree as PEM; 0 is the current one.
func (f *Facade) PublicKey(_ context.Context, tree int64) ([]byte, error) {
	t, err := f.findTree(tree)
	if err != nil {
		return nil, err
	}
	return t.Signer.PublicKey(), nil
}

// Proof returns the consistency proof between two sizes of a tree; 0 is the current one.
func (f *Facade) Proof(ctx context.Context, tree int64, first, last uint64) (rekorjson.ConsistencyProof, error) {
	t, err := f.findTree(tree)
	if err != nil {
		return rekorjson.ConsistencyProof{}, err
	}
	head, err := t.Reader.ReadHead(ctx)
	if err != nil {
		return rekorjson.ConsistencyProof{}, err
	}
	hashes, err := t.Reader.ProveConsistency(ctx, head, first, last)
	if err != nil {
		return rekorjson.ConsistencyProof{}, err
	}
	return rekorjson.ConsistencyProof{Hashes: encodeHashes(hashes), RootHash: fmt.Sprintf("%x", head.Root)}, nil
}

// EntryByIndex returns the entry with an index over all trees.
func (f *Facade) EntryByIndex(ctx context.Context, index int64) (rekorjson.ID, rekorjson.Entry, error) {
	starts, err := f.readStarts(ctx)
	if err == nil {
		err = f.isCertain()
	}
	if err == nil && index < 0 {
		err = fmt.Errorf("%w: no entry has the index %d", gateway.ErrNotFound, index)
	}
	if err != nil {
		return rekorjson.ID{}, rekorjson.Entry{}, err
	}
	at := len(starts) - 1
	for starts[at] > uint64(index) {
		at--
	}
	return f.trees()[at].readEntry(ctx, starts[at], uint64(index)-starts[at])
}

// EntryByID returns an entry by its leaf, and its tree where that is said.
func (f *Facade) EntryByID(ctx context.Context, id rekorjson.ID) (rekorjson.ID, rekorjson.Entry, error) {
	starts, err := f.readStarts(ctx)
	if err == nil {
		err = f.isCertain()
	}
	if err != nil {
		return rekorjson.ID{}, rekorjson.Entry{}, err
	}
	for i, t := range slices.Backward(f.trees()) {
		if id.Tree != 0 && id.Tree != t.ID {
			continue
		}
		_, index, err := t.findLeaf(ctx, f.cfg.Store, id.Leaf)
		if errors.Is(err, gateway.ErrNotFound) {
			continue
		}
		if err != nil {
			return rekorjson.ID{}, rekorjson.Entry{}, err
		}
		return t.readEntry(ctx, starts[i], index)
	}
	return rekorjson.ID{}, rekorjson.Entry{}, fmt.Errorf("%w: no entry has the id %s", gateway.ErrNotFound, id)
}

// Source returns the ID of the log of Rekor v2 whose entries are recorded again.
func (f *Facade) Source() string { return f.cfg.Source }

// AwaitRecorded returns once a checkpoint that covers the leaf of a submission in Rekor v2 is anchored, or ctx ends; nil is no promise that it is. That is
// rekord, as Rekor v1 records its signature and file itself, or else the submission's first record in Rekor v2. It sees to it that there is a leaf: what was
// logged before the facade was there has none yet, and a rekord has one for this alone. before: there was one before the submission, of another one with the
// same record. The error is gateway.ErrNotFound where the submission has no record there, and gateway.ErrUnavailable while the facade does not get on: the
// leaf of the record is made later then.
func (f *Facade) AwaitRecorded(ctx context.Context, logged gateway.Submission, rekord []byte) (before bool, err error) {
	l, err := f.leafOf(ctx, logged, rekord)
	if err != nil {
		return false, err
	}
	stored, recorded, err := f.findStored(ctx, l.hash)
	if err == nil && !recorded {
		stored, err = f.storeLeaf(ctx, l)
		if err == nil {
			err = f.cfg.Await(ctx, &stored)
		}
	}
	return err == nil && stored.CreatedAt.Before(logged.CreatedAt), err
}

// storeLeaf has a leaf stored that is not yet, once there is room for it.
func (f *Facade) storeLeaf(ctx context.Context, l leaf) (gateway.Submission, error) {
	if err := f.awaitRoom(ctx); err != nil {
		return gateway.Submission{}, err
	}
	stored, err := f.storeLeaves(ctx, []leaf{l})
	if err != nil {
		return gateway.Submission{}, err
	}
	return stored[0].Submission, stored[0].Err
}

// findStored returns the submission of a leaf that is in one of the trees; recorded is false where it is in none.
func (f *Facade) findStored(ctx context.Context, hash gateway.LeafHash) (stored gateway.Submission, recorded bool, err error) {
	for _, t := range slices.Backward(f.trees()) {
		if stored, _, err = t.findLeaf(ctx, f.cfg.Store, hash); !errors.Is(err, gateway.ErrNotFound) {
			return stored, err == nil, err
		}
	}
	return gateway.Submission{}, false, nil
}

// Recorded returns the entry by which a submission in Rekor v2 is in this log, as AwaitRecorded has made it. The error is gateway.ErrNotFound where it is
// not, or not yet.
func (f *Facade) Recorded(ctx context.Context, logged gateway.Submission, rekord []byte) (rekorjson.ID, rekorjson.Entry, error) {
	l, err := f.leafOf(ctx, logged, rekord)
	if err != nil {
		return rekorjson.ID{}, rekorjson.Entry{}, err
	}
	return f.EntryByID(ctx, rekorjson.ID{Leaf: l.hash})
}

// leafOf returns the leaf of rekord, or else of a submission's first record in Rekor v2.
func (f *Facade) leafOf(ctx context.Context, logged gateway.Submission, rekord []byte) (leaf, error) {
	at := slices.IndexFunc(logged.Entries, func(e gateway.Entry) bool { return e.Log == f.cfg.Source && e.State == gateway.Logged })
	if at < 0 {
		return leaf{}, fmt.Errorf("%w: the submission has no entry in log %s", gateway.ErrNotFound, f.cfg.Source)
	}
	if rekord != nil {
		return newRekordLeaf(rekord, logged)
	}
	archived := logged.Archived
	if archived == nil {
		read, err := f.cfg.Store.Archived(ctx, logged.Tenant, logged.ID)
		if err != nil {
			return leaf{}, err
		}
		archived = &read
	}
	if at >= len(archived.Entries) {
		return leaf{}, fmt.Errorf("%w: the entry cannot be read", gateway.ErrUnreadable)
	}
	return newLeaf(logged.Entries[at].Kind, archived.Entries[at].Body)
}
