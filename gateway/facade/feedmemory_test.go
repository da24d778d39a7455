// SPDX-License-Identifier: Apache-2.0

package facade

import (
	"context"
	"log/slog"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
)

// listedStore lists entries as large as they can be, which are none of Rekor v2.
type listedStore struct {
	Store
	left    int
	largest int // bytes that were read at once
}

func (s *listedStore) Mirrored(_ context.Context, _ string, limit, maxBytes int) (all []gateway.MirroredEntry, _ error) {
	size := 0
	for id := 0; id < min(limit, s.left) && size < maxBytes; id++ {
		all = append(all, gateway.MirroredEntry{ID: int64(id), Kind: "none", Body: make([]byte, hashedrekord.MaxBody)})
		size += hashedrekord.MaxBody
	}
	s.largest = max(s.largest, size)
	return all, nil
}

func (s *listedStore) ForgetMirrored(_ context.Context, _ string, ids []int64) error {
	s.left -= len(ids)
	return nil
}

// TestFeedMemory: however much is listed, and however large it is, a few megabytes of it are read at once.
func TestFeedMemory(t *testing.T) {
	store := &listedStore{left: 2 * feedBatch}
	f := &Facade{cfg: Config{Store: store, Logger: slog.New(slog.DiscardHandler)}}
	for store.left > 0 {
		if n, err := f.makeBatch(t.Context()); err != nil || n == 0 {
			t.Fatalf("%d entries of %d, %v", n, store.left, err)
		}
	}
	if store.largest > feedBytes+hashedrekord.MaxBody || store.largest > 4<<20 {
		t.Errorf("%d bytes are read at once", store.largest)
	}
}
