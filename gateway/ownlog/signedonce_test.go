// SPDX-License-Identifier: Apache-2.0

package ownlog_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/ownlog"
)

// signatures counts what an anchor key signs, by the digest.
type signatures struct {
	ownlog.Anchorer
	mu   sync.Mutex // guards made
	made map[[32]byte]int
}

func (s *signatures) SignDigest(ctx context.Context, digest [32]byte) ([]byte, error) {
	s.mu.Lock()
	s.made[digest]++
	s.mu.Unlock()
	return s.Anchorer.SignDigest(ctx, digest)
}

// watchedLog is a log that looks, whenever it is sent an anchor, whether the store has it.
type watchedLog struct {
	*gatewaytest.Log
	t     *testing.T
	store gateway.Store
	mu    sync.Mutex                           // guards sent
	sent  map[string]map[gateway.LeafHash]bool // by the checkpoint
}

func (l *watchedLog) Add(ctx context.Context, shard gateway.Shard, p gateway.Prepared) (*gateway.Inclusion, error) {
	tenant := gateway.AnchorTenant(ownID)
	sub, err := l.store.ByLeaf(ctx, tenant, p.Log, p.LeafHash)
	if err != nil {
		return l.Log.Add(ctx, shard, p) // a probe
	}
	archived, err := l.store.Archived(ctx, tenant, sub.ID)
	if err != nil || string(archived.Entries[0].Body) != string(p.Body) {
		l.t.Errorf("what is sent is not what is stored: %v", err)
		return nil, gateway.ErrNotSent
	}
	l.mu.Lock()
	checkpoint := string(archived.Receipt.GetSignature().GetContent())
	if l.sent[checkpoint] == nil {
		l.sent[checkpoint] = map[gateway.LeafHash]bool{}
	}
	l.sent[checkpoint][p.LeafHash] = true
	l.mu.Unlock()
	return l.Log.Add(ctx, shard, p)
}

// TestAnchorSignedOnce: an anchor is signed once, and stored before it is sent, however often that is: the log loses its answers, takes
// nothing, is down, and the process is another one.
func TestAnchorSignedOnce(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store := openStore(t, filepath.Join(folder, "db"))
	lost := errors.New("the answer is lost")
	log := &watchedLog{t: t, store: store, sent: map[string]map[gateway.LeafHash]bool{}, Log: gatewaytest.NewLog(
		gatewaytest.Fault{Err: lost}, gatewaytest.Fault{Err: lost, Applied: true}, gatewaytest.Fault{Err: &gateway.OverloadError{}},
		gatewaytest.Fault{Err: lost, Applied: true}, gatewaytest.Fault{Err: gateway.ErrNotSent}, gatewaytest.Fault{Err: lost},
	)}
	signed := &signatures{made: map[[32]byte]int{}}
	wrap := func(c *ownlog.Config) { signed.Anchorer, c.Anchorer = c.Anchorer, signed }
	start := func() (*room, func()) {
		r := join(t, store, folder, log, 50*time.Millisecond, noShards, wrap)
		return r, r.run(t)
	}
	r, stop := start()
	for _, what := range []string{"a", "b", "c", "d"} {
		r.logAll(t, what, 3)
	}
	log.SetDown(gateway.ErrUnavailable)
	var waiting sync.WaitGroup
	submitted := make(chan gateway.Submission, 1)
	waiting.Go(func() {
		sub, err := r.Submit(context.Background(), gatewaytest.Signed(t, "waits"), gatewaytest.NoArtifact)
		if err != nil {
			t.Error(err)
		}
		submitted <- sub
	})
	waiting.Wait()
	anchors := func() int {
		page, _, err := store.List(t.Context(), gateway.AnchorTenant(ownID), gateway.ListParams{State: gateway.Pending})
		if err != nil {
			t.Fatal(err)
		}
		return len(page)
	}
	for deadline := time.Now().Add(time.Minute); anchors() == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no anchor is made")
		}
	}
	stop()
	log.SetDown(nil)
	r, stop = start()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	sub := <-submitted
	if err := r.Await(ctx, &sub); err != nil || sub.State != gateway.Logged {
		t.Errorf("%s, %v", sub.State, err)
	}
	await(t, "has sent all anchors", func() bool { return anchors() == 0 }) // one before may have waited longer than the last
	stop()
	for checkpoint, leaves := range log.sent {
		if len(leaves) != 1 {
			t.Errorf("%d anchors were sent of the checkpoint\n%s", len(leaves), checkpoint)
		}
	}
	for digest, n := range signed.made {
		if n != 1 {
			t.Errorf("%x was signed %d times", digest, n)
		}
	}
	if len(signed.made) != len(log.sent) || len(signed.made) < 3 {
		t.Errorf("%d anchors were signed, and %d sent", len(signed.made), len(log.sent))
	}
	t.Logf("%d anchors, each signed once", len(signed.made))
}
