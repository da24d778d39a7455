// SPDX-License-Identifier: Apache-2.0

package facade

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// The indexes that a tree's key signs follow from the trees before it, so that the list of those stays what it was when the tree began. The store knows it:
// the key of each leaf's submission is made of the first tree of the list, which no two lists share.

// ErrOtherFormer: the former trees are not those after which the current one began.
var ErrOtherFormer = errors.New("former_keys is not the list that the tree goes on from")

// leafKey returns the key of the submission of a leaf, in whatever tree it is of those that go on from the one with the log called first.
func leafKey(first string, leaf gateway.LeafHash) gateway.SubmissionKey {
	return sha256.Sum256(fmt.Appendf(nil, "rekor-gateway leaf for clients of Rekor v1\n%q\n%x\n", first, leaf))
}

// checkFormer refuses former trees that this store has never had, or that are not those after which others began.
func checkFormer(ctx context.Context, store Store, trees []Tree) error {
	logs, err := store.ListOwnLogs(ctx)
	if err != nil {
		return err
	}
	began := make([]int64, len(trees))
	for i, t := range trees {
		if !slices.ContainsFunc(logs, func(own gateway.OwnLog) bool { return own.ID == t.Log }) {
			return fmt.Errorf("%w: this store has never had tree %d; take its key out of the list, unless host is not what it was", ErrOtherFormer, t.ID)
		}
		began[i] = -1
	}
	last := len(trees) - 1
	for _, own := range logs {
		at := slices.IndexFunc(trees, func(t Tree) bool { return t.Log == own.ID })
		if !gateway.IsFacadeLog(own.ID) || own.Tree.Size == 0 || own.Anchored.Size == 0 && at != last { // no index follows from it
			continue
		}
		belongs, entry, err := readBegin(ctx, store, own.ID, trees[0].Log)
		if err != nil {
			return err
		}
		switch {
		case belongs && at < 0:
			return fmt.Errorf("%w: it lacks the key of %s", ErrOtherFormer, own.Origin)
		case !belongs && at >= 0:
			return fmt.Errorf("%w: %s began with another list, whose first key is another one; put that list back", ErrOtherFormer, own.Origin)
		case at >= 0:
			began[at] = entry
		}
	}
	began = slices.DeleteFunc(began, func(entry int64) bool { return entry < 0 })
	if !slices.IsSorted(began) {
		return fmt.Errorf("%w: its order is another one; the first tree comes first", ErrOtherFormer)
	}
	return nil
}

// readBegin reports whether the first record of an own log is one of a tree that goes on from the one with the log called first, and returns its entry's ID.
func readBegin(ctx context.Context, store Store, log, first string) (belongs bool, entry int64, err error) {
	bodies, err := store.OwnRecords(ctx, log, 0, 1)
	if err == nil && len(bodies) == 0 {
		err = gateway.ErrUnreadable
	}
	if err != nil {
		return false, 0, fmt.Errorf("reading the first record of %s: %w", log, err)
	}
	leaf := leafHash(bodies[0])
	sub, err := store.ByLeaf(ctx, gateway.FacadeTenant(), log, leaf)
	if err != nil {
		return false, 0, fmt.Errorf("reading the first record of %s: %w", log, err)
	}
	for _, e := range sub.Entries {
		if e.Log == log && e.LeafHash == leaf {
			entry = e.ID
		}
	}
	return sub.Key == leafKey(first, leaf), entry, nil
}
