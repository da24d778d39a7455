// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

// fullDisk is a store that takes nothing while full is set.
type fullDisk struct {
	gateway.Store
	full atomic.Bool
}

func (d *fullDisk) Enqueue(ctx context.Context, subs []gateway.NewSubmission) ([]gateway.Enqueued, error) {
	if d.full.Load() {
		return nil, errors.New("disk is full")
	}
	return d.Store.Enqueue(ctx, subs)
}

// A gateway that cannot store is not ready, until it can.
func TestNotReadyOnAFullDisk(t *testing.T) {
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "gateway.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	disk := &fullDisk{Store: store}
	s := startRooms(t, disk, gatewaytest.NewLog(), gatewaytest.Quick, nil)
	send := func() error {
		_, err := s.Submit(t.Context(), gatewaytest.Signed(t, "hello"), gatewaytest.NoArtifact)
		return err
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Fatalf("at the start: %v", err)
	}
	disk.full.Store(true)
	if err := send(); !errors.Is(err, gateway.ErrNotStored) {
		t.Fatalf("on a full disk: %v", err)
	}
	if err := s.Ready(t.Context()); !errors.Is(err, gateway.ErrNotStored) {
		t.Errorf("ready on a full disk: %v", err)
	}
	disk.full.Store(false)
	if err := send(); err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("with room again: %v", err)
	}
}
