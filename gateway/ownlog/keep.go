// SPDX-License-Identifier: Apache-2.0

package ownlog

import (
	"context"
	"log/slog"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// keeper notes which anchors are logged, and has logged what they cover.
type keeper struct {
	*Reader
	store   Store
	changed func([]gateway.Progress)
	logger  *slog.Logger
}

// keepAnchor notes that the last anchor is logged, where it is, and returns the state then.
func (k keeper) keepAnchor(ctx context.Context, state gateway.OwnLog, last *gateway.Submission) (gateway.OwnLog, error) {
	if last == nil || last.State != gateway.Logged {
		return state, nil
	}
	kept, err := k.readAnchor(ctx, last.ID)
	if err != nil {
		return state, err
	}
	if kept.tree.Size <= state.Anchored.Size {
		return state, nil
	}
	anchor := gateway.OwnAnchor{Tree: kept.tree, Submission: last.ID}
	if err := k.store.KeepAnchor(ctx, k.id, anchor); err != nil {
		return state, err
	}
	state.Anchored = anchor
	k.logger.InfoContext(ctx, "anchored", "log", k.id, "records", anchor.Size, "submission", anchor.Submission)
	return state, nil
}

// logAnchored has all Logged that is anchored.
func (k keeper) logAnchored(ctx context.Context, state *gateway.OwnLog) error {
	for state.Logged < state.Anchored.Size {
		changed, err := k.store.LogAnchored(ctx, k.id, batchSize)
		if err != nil {
			return err
		}
		k.changed(k.withInclusions(changed))
		state.Logged = min(state.Logged+batchSize, state.Anchored.Size)
	}
	return nil
}

// withInclusions adds what a receipt needs of the records, so that it is not read from the store again.
func (k keeper) withInclusions(changed []gateway.Progress) []gateway.Progress {
	for _, p := range changed {
		for i := range p.Entries {
			if e := &p.Entries[i]; e.Log == k.id && e.State == gateway.Logged && e.LogIndex != nil {
				e.Inclusion = &gateway.Inclusion{Kind: gateway.KindOwnRecord, Index: *e.LogIndex}
			}
		}
	}
	return changed
}
