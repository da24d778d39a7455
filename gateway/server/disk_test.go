// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

// The guard asks each file system once a second, and takes one that cannot be asked to have room.
func TestDiskGuard(t *testing.T) {
	now, asked := time.Unix(1_800_000_000, 0), 0
	free := map[string]int64{"/store": 100, "/spool": 100}
	g := &diskGuard{
		folders: map[string]string{"store": "/store", "spool": "/spool"}, min: 50, logger: slog.New(slog.DiscardHandler),
		now: func() time.Time { return now },
		free: func(folder string) (int64, error) {
			asked++
			if n, ok := free[folder]; ok {
				return n, nil
			}
			return 0, errors.ErrUnsupported
		},
	}
	check := func(after time.Duration, low bool) {
		t.Helper()
		now = now.Add(after)
		if err := g.checkDisk(); errors.Is(err, gateway.ErrDiskLow) != low || !low && err != nil {
			t.Errorf("%v: %v", free, err)
		}
	}
	check(0, false)
	free["/spool"] = 49
	check(diskFresh/2, false)
	check(diskFresh/2, true)
	free["/spool"], free["/store"] = 50, 0
	check(diskFresh, true)
	delete(free, "/store")
	check(diskFresh, false)
	before := asked
	for range 100 {
		check(0, false)
	}
	check(-time.Hour, false) // the clock was set back
	if asked != before+2 {
		t.Errorf("asked %d times", asked-before)
	}
}

// Fast writers do not use up what has to stay free before the guard looks again.
func TestDiskGuardFollowsWrites(t *testing.T) {
	const least, step = 1 << 20, 32 << 10
	free := int64(4 << 20)
	now := time.Unix(1_800_000_000, 0)
	g := &diskGuard{
		folders: map[string]string{"spool": "/spool"}, min: least, logger: slog.New(slog.DiscardHandler),
		now: func() time.Time { return now }, free: func(string) (int64, error) { return free, nil },
	}
	for g.checkWrite(step) == nil && free > 0 {
		free -= step
	}
	if free < least-least/diskUnasked-step {
		t.Errorf("%d bytes are left when nothing is taken any more", free)
	}
}

// TestDiskComesBack: what artifacts took in the store's file, which never shrinks, is room again once they are gone.
func TestDiskComesBack(t *testing.T) {
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "gateway.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	const least = 4 << 20
	free := int64(least / 2)
	g := &diskGuard{
		folders: map[string]string{"store": "/store"}, beside: []string{"store"}, inside: store.FreeInside, min: least, logger: slog.New(slog.DiscardHandler),
		free: func(string) (int64, error) { return free, nil },
	}
	if err := g.askFolders(); !errors.Is(err, gateway.ErrDiskLow) {
		t.Errorf("a store with no room inside: %v", err)
	}
	w, err := gateway.NewBlobWriter(t.Context(), store, least)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, least)); err != nil {
		t.Fatal(err)
	}
	if err := w.Drop(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.SweepBlobs(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := g.askFolders(); err != nil {
		t.Errorf("a store with %d bytes of room inside: %v", least, err)
	}
	free--
	if err := g.askFolders(); !errors.Is(err, gateway.ErrDiskLow) {
		t.Errorf("a disk with less than half of what has to be free: %v", err)
	}
}

// An artifact that is spooled in the store does not use it up either, and what there is of it can be dropped then.
func TestSpoolingStopsOnALowDisk(t *testing.T) {
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "gateway.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	const least = 1 << 20
	free := int64(3 << 20)
	g := &diskGuard{
		folders: map[string]string{"store": "/store"}, min: least, logger: slog.New(slog.DiscardHandler),
		now: time.Now, free: func(string) (int64, error) { return free, nil },
	}
	w, err := gateway.NewBlobWriter(t.Context(), diskBlobs{store, g}, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	part := make([]byte, gateway.BlobPart)
	for err == nil && free > 0 {
		_, err = w.Write(part)
		free -= gateway.BlobPart
	}
	if !errors.Is(err, gateway.ErrDiskLow) || free < least-2*gateway.BlobPart {
		t.Errorf("%v with %d bytes left", err, free)
	}
	if err := w.Drop(); err != nil {
		t.Error(err)
	}
	if swept, err := store.SweepBlobs(t.Context()); err != nil || swept.Bytes != 0 {
		t.Errorf("%+v, %v", swept, err)
	}
}

func TestFreeBytes(t *testing.T) {
	if free, err := freeBytes(t.TempDir()); free <= 0 && !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%d bytes, %v", free, err)
	}
	if _, err := freeBytes(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a folder that is not there has room")
	}
}

// While the disk is low nothing is taken, and what was accepted is logged.
func TestAcceptedGoesOnOnALowDisk(t *testing.T) {
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "gateway.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	var low atomic.Bool
	log := gatewaytest.NewLog(gatewaytest.Fault{Err: gateway.ErrNotSent})
	log.SetDown(gateway.ErrUnavailable)
	s := startRooms(t, store, log, gatewaytest.Quick, func() error {
		if low.Load() {
			return gateway.ErrDiskLow
		}
		return nil
	})
	accepted := accept(t, s)
	low.Store(true)
	if _, err := s.Submit(t.Context(), gatewaytest.Signed(t, "next"), gatewaytest.NoArtifact); !errors.Is(err, gateway.ErrDiskLow) {
		t.Errorf("on a low disk: %v", err)
	}
	log.SetDown(nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if got, err := s.Wait(ctx, accepted.Tenant, accepted.ID); err != nil || got.State != gateway.Logged {
		t.Errorf("what was accepted is %s, %v", got.State, err)
	}
	low.Store(false)
	accept(t, s)
}

// The operator reads which folder is low.
func TestDiskLowNamesFolder(t *testing.T) {
	g := &diskGuard{
		folders: map[string]string{"spool": "/spool/here"}, min: 2, now: time.Now, logger: slog.New(slog.DiscardHandler),
		free: func(string) (int64, error) { return 1, nil },
	}
	if err := g.checkDisk(); err == nil || !strings.Contains(err.Error(), "the spool in /spool/here") {
		t.Errorf("checkDisk() = %v, which does not name the folder", err)
	}
}
