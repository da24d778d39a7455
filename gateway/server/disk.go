// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// An answer of the file systems is good for diskFresh, and until a diskUnasked-th of what has to be free was written:
// some clients and disks are fast.
const (
	diskFresh   = time.Second
	diskUnasked = 16
)

// diskGuard says when too little space is left where the spool and an embedded store are, before they
// fail for it. A file system that cannot be asked is not taken to be low: what is written to it fails
// by itself. Methods are safe for concurrent use.
type diskGuard struct {
	folders map[string]string // by what is in them
	min     int64             // bytes that have to be free; 0: no matter
	free    func(folder string) (int64, error)
	inside  func() (int64, error) // bytes that are free in the store's file, which never shrinks; nil: it has none
	beside  []string              // of the folders, those on the store's disk
	now     func() time.Time
	logger  *slog.Logger

	mu      sync.Mutex // over all below
	askedAt time.Time
	written int64 // bytes since then
	low     error // nil, or gateway.ErrDiskLow
}

// newDiskGuard returns a guard over what cfg names; inside returns the bytes that are free in the store's file, or is nil.
func newDiskGuard(cfg *config.Config, inside func() (int64, error), logger *slog.Logger) *diskGuard {
	spool := cfg.Limits.SpoolDir
	if spool == "" {
		spool = os.TempDir()
	}
	folders := map[string]string{"spool": spool}
	var beside []string
	if !cfg.Store.IsPostgres() {
		folders["store"] = filepath.Dir(cfg.Store.SQLite.Path)
		beside = []string{"store"}
		if shareDisk(folders["store"], spool) {
			beside = append(beside, "spool")
		}
	}
	return &diskGuard{
		folders: folders, inside: inside, beside: beside,
		min: int64(cfg.Limits.MinFreeDisk), free: freeBytes, now: time.Now, logger: logger,
	}
}

// checkDisk returns nil, or gateway.ErrDiskLow.
func (g *diskGuard) checkDisk() error { return g.checkWrite(0) }

// checkWrite is checkDisk for those who write size bytes next.
func (g *diskGuard) checkWrite(size int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.written += size
	if now := g.now(); g.askedAt.IsZero() || now.Sub(g.askedAt).Abs() >= diskFresh || g.written > g.min/diskUnasked {
		was := g.low
		g.askedAt, g.written, g.low = now, 0, g.askFolders()
		if (was == nil) != (g.low == nil) {
			g.logger.Warn("disk space", "low", g.low != nil, "cause", g.low)
		}
	}
	return g.low
}

func (g *diskGuard) askFolders() error {
	for _, name := range slices.Sorted(maps.Keys(g.folders)) {
		if free, err := g.free(g.folders[name]); err == nil && free < g.min && !g.hasRoomInside(name, free) {
			return fmt.Errorf("%w: %d bytes are free for the %s in %s, and limits.min_free_disk is %d",
				gateway.ErrDiskLow, free, name, g.folders[name], g.min)
		}
	}
	return nil
}

// hasRoomInside reports whether what is free in the store's file makes up for what its disk lacks, as after artifacts have been sent that
// were spooled there: nothing else would give that room back. Half of what has to be free is free on the disk all the same, for what
// is no part of that file.
func (g *diskGuard) hasRoomInside(name string, free int64) bool {
	if g.inside == nil || !slices.Contains(g.beside, name) || free < g.min/2 {
		return false
	}
	inside, err := g.inside()
	return err == nil && inside >= g.min-free
}

var diskFreeDesc = newDesc("disk_free_bytes", "Bytes free where the store and the spool are.", "of")

// Describe implements prometheus.Collector.
func (g *diskGuard) Describe(out chan<- *prometheus.Desc) { out <- diskFreeDesc }

// Collect implements prometheus.Collector.
func (g *diskGuard) Collect(out chan<- prometheus.Metric) {
	for name, folder := range g.folders {
		if free, err := g.free(folder); err == nil {
			out <- prometheus.MustNewConstMetric(diskFreeDesc, prometheus.GaugeValue, float64(free), name)
		}
	}
}
