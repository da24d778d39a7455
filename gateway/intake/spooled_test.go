// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// slowBlobs takes its time for each part, and fails when it is told to.
type slowBlobs struct {
	gateway.BlobStore
	takes time.Duration
	err   error
	now   atomic.Int64 // parts that are being stored
	most  atomic.Int64 // of them at once
}

func (s *slowBlobs) AppendBlob(context.Context, gateway.BlobID, int, []byte) error {
	s.most.Store(max(s.most.Load(), s.now.Add(1)))
	defer s.now.Add(-1)
	time.Sleep(s.takes)
	return s.err
}

// appendMany stores a part of each of many artifacts, and returns how long all of them took, and the first error.
func appendMany(b storingBlobs) (took time.Duration, err error) {
	began := time.Now()
	var all errgroup.Group
	for range 100 {
		all.Go(func() error { return b.AppendBlob(context.Background(), gateway.BlobID{}, 0, []byte("x")) })
	}
	err = all.Wait()
	return time.Since(began), err
}

// TestArtifactsKeepNobodyWaiting: however many artifacts are uploaded, few of their parts stand in line for the store, before others.
func TestArtifactsKeepNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slowBlobs{takes: time.Second}
		b := newStoringBlobs(store, newCommitter(&slowStore{}))
		if took, err := appendMany(b); err != nil || store.most.Load() > 4 {
			t.Errorf("%v after %v, %d at once", err, took, store.most.Load())
		}
	})
}

// TestArtifactsFailTogether: a store that fails keeps nobody waiting for others to fail, and is told of until it takes something.
func TestArtifactsFailTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, commits := &slowBlobs{takes: 10 * time.Second, err: gateway.ErrStoreUnavailable}, newCommitter(&slowStore{})
		b := newStoringBlobs(store, commits)
		if took, err := appendMany(b); !errors.Is(err, gateway.ErrNotStored) || took > 12*time.Second || !commits.isFailing() {
			t.Errorf("%v after %v; failing: %t", err, took, commits.isFailing())
		}
		store.err = gateway.ErrQueueFull
		if _, err := appendMany(b); !errors.Is(err, gateway.ErrQueueFull) || errors.Is(err, gateway.ErrNotStored) {
			t.Errorf("with no room: %v", err)
		}
		time.Sleep(2 * time.Second)
		store.err = nil
		if _, err := appendMany(b); err != nil || commits.isFailing() {
			t.Errorf("%v; failing: %t", err, commits.isFailing())
		}
	})
}
