// SPDX-License-Identifier: Apache-2.0

package ownlog_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/attest"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/ownlog"
)

// TestConformance: the own log keeps the promises that other logs do (gateway/rekor/logtest), as far as it can break them: a record is in it once, and
// Logged once it is anchored, whatever the log with the anchors answers.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string][]gatewaytest.Fault{
		"logged":               nil,
		"refused":              {{Err: gateway.ErrRefused}},
		"timed out":            {{Err: context.DeadlineExceeded}},
		"timed out but logged": {{Err: context.DeadlineExceeded, Applied: true}},
		"false answer":         {{Err: gateway.ErrBadAnswer}, {Err: gateway.ErrBadAnswer, Applied: true}},
		"429":                  {{Err: &gateway.OverloadError{RetryAfter: 20 * time.Millisecond}}, {Err: &gateway.OverloadError{}}},
		"503":                  {{Err: errors.Join(errors.New("503"), &gateway.OverloadError{InDoubt: true})}, {Err: errors.Join(errors.New("503"), &gateway.OverloadError{InDoubt: true}), Applied: true}},
		"held":                 {{Err: context.DeadlineExceeded, Applied: true, Late: 200 * time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder, log := t.TempDir(), gatewaytest.NewLog(faults...)
			store := openStore(t, filepath.Join(folder, "db"))
			r := join(t, store, folder, log, 50*time.Millisecond, noShards)
			stop := r.run(t)
			for index, leaf := range r.logAll(t, name, 3) {
				checkProof(t, r.own, index, leaf)
			}
			stop()
			wantAnchoredOnce(t, store, log)
		})
	}
}

// wantAnchoredOnce checks that the log has each anchor that counts once, and no other.
func wantAnchoredOnce(t *testing.T, store gateway.Store, log *gatewaytest.Log) {
	t.Helper()
	state := must(store.OwnLog(t.Context(), ownID))
	page, _, err := store.List(t.Context(), gateway.AnchorTenant(ownID), gateway.ListParams{State: gateway.Logged})
	logged, _ := log.Count()
	if err != nil || logged != len(page) || state.Tree.Size != 3 || state.Logged != 3 {
		t.Errorf("%d records, %d of them logged, with %d anchors, of which the log has %d, %v", state.Tree.Size, state.Logged, len(page), logged, err)
	}
}

// TestConformanceFrozen: records wait while the log with the anchors takes none, and are logged when it does.
func TestConformanceFrozen(t *testing.T) {
	t.Parallel()
	folder, log := t.TempDir(), gatewaytest.NewLog()
	store := openStore(t, filepath.Join(folder, "db"))
	log.SetDown(gateway.ErrUnavailable)
	r := join(t, store, folder, log, 50*time.Millisecond, noShards)
	r.run(t)
	sub := r.submit(t, "waits")
	await(t, "it is in the tree", func() bool { return must(store.OwnLog(t.Context(), ownID)).Tree.Size == 1 })
	if got := must(store.OwnLog(t.Context(), ownID)); got.Logged != 0 || got.Anchored.Size != 0 {
		t.Errorf("it counts before it is anchored: %+v", got)
	}
	log.SetDown(nil)
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	if err := r.Await(ctx, &sub); err != nil || sub.State != gateway.Logged {
		t.Errorf("%s, %v", sub.State, err)
	}
}

// TestConformanceDuplicate: what is sent again is the same record. What the log does not take is refused before.
func TestConformanceDuplicate(t *testing.T) {
	t.Parallel()
	folder, log := t.TempDir(), gatewaytest.NewLog()
	store := openStore(t, filepath.Join(folder, "db"))
	r := join(t, store, folder, log, 50*time.Millisecond, noShards)
	r.run(t)
	request := gatewaytest.Signed(t, "twice")
	var ids []string
	for range 2 {
		sub, err := r.Submit(t.Context(), request, gatewaytest.NoArtifact)
		if err == nil {
			err = r.Await(t.Context(), &sub)
		}
		if err != nil || sub.State != gateway.Logged {
			t.Fatalf("%s, %v", sub.State, err)
		}
		ids = append(ids, sub.ID)
	}
	if got := must(store.OwnLog(t.Context(), ownID)); ids[0] != ids[1] || got.Tree.Size != 1 {
		t.Errorf("%v are %d records", ids, got.Tree.Size)
	}
	if _, _, err := r.own.Prepare(gateway.Offer{}); err == nil {
		t.Error("an empty offer is taken")
	}
}

// TestConformanceEnded: a log that another one has taken over from is not gone on with, and what waited for it is in the other one.
func TestConformanceEnded(t *testing.T) {
	t.Parallel()
	folder, log := t.TempDir(), newLateLog()
	store := openStore(t, filepath.Join(folder, "db"))
	r := join(t, store, folder, log, 50*time.Millisecond, log.shards)
	stop := r.run(t)
	r.logAll(t, "first", 3)
	stop()
	endLog(t, store, &history{folder: folder, log: log}, 3)
	_, err := ownlog.New(t.Context(), ownlog.Config{
		ID: ownID, Store: store, Signer: must(attest.LoadCheckpointSigner(filepath.Join(folder, "own"), origin, false)),
		Anchorer: must(attest.LoadAnchorSigner(filepath.Join(folder, "anchor"), false)), Logger: slog.New(slog.DiscardHandler),
	})
	if !errors.Is(err, gateway.ErrOwnLogClosed) {
		t.Errorf("it is opened again: %v", err)
	}
}
