// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"maps"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// tellingStore tells the other processes on a store what is changed in it here.
type tellingStore struct {
	Store
	signals gateway.Signals
}

// withSignals returns store, or, where several processes share it, what tells the others.
func withSignals(store Store) Store {
	if signals, ok := store.(gateway.Signals); ok {
		return tellingStore{store, signals}
	}
	return store
}

// Enqueue implements gateway.Store.
func (s tellingStore) Enqueue(ctx context.Context, subs []gateway.NewSubmission) ([]gateway.Enqueued, error) {
	stored, err := s.Store.Enqueue(ctx, subs)
	logs := map[string]bool{}
	for _, e := range stored {
		for _, entry := range e.Submission.Entries {
			if entry.State == gateway.Pending {
				logs[entry.Log] = true
			}
		}
	}
	s.signals.Tell(gateway.Signal{Logs: slices.Collect(maps.Keys(logs))})
	return stored, err
}

// Finish implements gateway.Store.
func (s tellingStore) Finish(ctx context.Context, outcomes []gateway.Outcome) ([]gateway.Progress, error) {
	changed, err := s.Store.Finish(ctx, outcomes)
	s.tellChanged(changed)
	return changed, err
}

// LogAnchored implements gateway.Store.
func (s tellingStore) LogAnchored(ctx context.Context, log string, limit int) ([]gateway.Progress, error) {
	changed, err := s.Store.LogAnchored(ctx, log, limit)
	s.tellChanged(changed)
	return changed, err
}

// Settle implements gateway.Store.
func (s tellingStore) Settle(ctx context.Context, settlements []gateway.Settlement) ([]gateway.Progress, error) {
	changed, err := s.Store.Settle(ctx, settlements)
	s.tellChanged(changed)
	return changed, err
}

// Move implements gateway.Store.
func (s tellingStore) Move(ctx context.Context, p gateway.MoveParams) (gateway.Moved, error) {
	moved, err := s.Store.Move(ctx, p)
	s.tellChanged(moved.Changed)
	return moved, err
}

// Retire implements gateway.Store.
func (s tellingStore) Retire(ctx context.Context, p gateway.RetireParams) (gateway.Retired, error) {
	retired, err := s.Store.Retire(ctx, p)
	s.signals.Tell(gateway.Signal{Changed: retired.Changed})
	return retired, err
}

// tellChanged tells of submissions, and of the logs that their entries wait for: those may be others than before.
func (s tellingStore) tellChanged(changed []gateway.Progress) {
	var ids []string
	logs := map[string]bool{}
	for _, p := range changed {
		ids = append(ids, p.ID)
		for _, e := range p.Entries {
			if e.State == gateway.Pending {
				logs[e.Log] = true
			}
		}
	}
	s.signals.Tell(gateway.Signal{Changed: ids, Logs: slices.Collect(maps.Keys(logs))})
}
