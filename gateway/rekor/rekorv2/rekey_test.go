// SPDX-License-Identifier: Apache-2.0

package rekorv2_test

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logtest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
)

// TestRekeyed: a real log that was restarted with another key over the same tree is the same tree, once that is proven, and
// what was sent before is found there, by the new key.
func TestRekeyed(t *testing.T) {
	t.Parallel()
	server := rekortest.StartServer(t)
	before := shardOf(server)
	store := new(rekortest.Checkpoints)
	l := open(t, config(server), store)
	signer := rekortest.NewECDSASigner(t)
	var entries []gateway.Prepared
	for i := range 3 {
		e := logtest.Prepare(t, l, signer.Record(fmt.Sprint("before ", i)))
		if _, err := l.Add(t.Context(), l.Describe().Shard, e); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	former := l.Describe().Shard
	server.Rekey()
	now := shardOf(server)
	before.End, now.Start = time.Now().Add(time.Hour), time.Now().Add(-time.Minute)
	change, err := l.PrepareChange(rekorv2.Config{ID: "test", Shards: []rekorv2.Shard{before, now}, RequestTimeout: 10 * time.Second, ReadTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	change.Apply()
	current := l.Describe().Shard
	if current == former || current.KeyID != [32]byte(server.KeyID()) {
		t.Fatalf("the shard is %+v", current)
	}
	e := logtest.Prepare(t, l, signer.Record("after"))
	got, err := l.Add(t.Context(), current, e)
	if err != nil {
		t.Fatal(err)
	}
	checkInclusion(t, got, e, server.Verifier())
	tree, err := l.TreeOf(t.Context(), former)
	if err != nil || tree != current {
		t.Fatalf("the tree goes on in %+v, %v", tree, err)
	}
	if _, err := l.Size(t.Context(), former); err == nil {
		t.Error("the old key's checkpoint is still there")
	}
	for i, e := range entries {
		found, err := l.Find(t.Context(), tree, []gateway.LeafHash{e.LeafHash}, 0, math.MaxUint64)
		if err != nil || found.Inclusions[e.LeafHash] == nil {
			t.Fatalf("entry %d: %+v, %v", i, found, err)
		}
		checkInclusion(t, found.Inclusions[e.LeafHash], e, server.Verifier())
	}
}

// TestNotTheSameTree: nothing is concluded from an empty tree, which every tree extends, nor from one that is shorter.
func TestNotTheSameTree(t *testing.T) {
	for name, sizes := range map[string][2]int{"empty": {0, 5}, "shorter": {5, 3}, "as long": {5, 5}, "longer": {5, 9}} {
		t.Run(name, func(t *testing.T) {
			before, now := rekortest.StartFake(t), rekortest.StartFake(t)
			grow(before, sizes[0])
			for i := range sizes[1] {
				now.Append(fmt.Appendf(nil, "another %d", i))
			}
			store := new(rekortest.Checkpoints)
			wantSize(t, open(t, config(before), store), uint64(sizes[0]))
			cfg := config(now)
			former := shardOf(before)
			former.GRPCURL = ""
			cfg.Shards = append(cfg.Shards, former)
			l := open(t, cfg, store)
			shard := gateway.Shard{Origin: former.Origin, KeyID: [32]byte(former.KeyID)}
			if tree, err := l.TreeOf(t.Context(), shard); err != nil || tree != shard {
				t.Errorf("the tree goes on in %+v, %v", tree, err)
			}
			if tree, err := l.TreeOf(t.Context(), l.Describe().Shard); err != nil || tree != l.Describe().Shard {
				t.Errorf("the current tree goes on in %+v, %v", tree, err)
			}
		})
	}
}

// TestCurrentShard: by the keys' windows and the clock.
func TestCurrentShard(t *testing.T) {
	fakes := []*rekortest.Fake{rekortest.StartFake(t), rekortest.StartFake(t), rekortest.StartFake(t)}
	at := func(hour int) time.Time { return time.Date(2026, 1, 1, hour, 0, 0, 0, time.UTC) }
	now := at(0)
	cfg := rekorv2.Config{ID: "test", Now: func() time.Time { return now }}
	for i, f := range fakes {
		s := shardOf(f)
		s.Start, s.End = at(4*i+2), at(4*i+8) // they overlap by two hours
		cfg.Shards = append(cfg.Shards, s)
	}
	l := open(t, cfg, new(rekortest.Checkpoints))
	for _, c := range []struct {
		hour, current, former int
		retired               bool
	}{
		{0, 0, 0, true}, // none has begun
		{2, 0, 0, false}, {5, 0, 0, false}, {6, 1, 1, false}, {9, 1, 1, false}, {10, 2, 2, false}, {15, 2, 2, false}, {16, 2, 2, true},
	} {
		now = at(c.hour)
		info := l.Describe()
		if info.KeyID != [32]byte(fakes[c.current].KeyID()) || info.Retired != c.retired || len(l.Former()) != c.former {
			t.Errorf("at %d: %+v, %d former ones", c.hour, info, len(l.Former()))
		}
		_, err := l.Add(t.Context(), info.Shard, logtest.Prepare(t, l, rekortest.NewECDSASigner(t).Record("now")))
		if got := logtest.OutcomeOf(err); c.retired && got != "not sent" || !c.retired && got != "ok" {
			t.Errorf("at %d: adding: %v", c.hour, err)
		}
	}
}

// TestChangeUnderWay: a call that is under way when its shard is taken away ends by itself.
func TestChangeUnderWay(t *testing.T) {
	before, now := rekortest.StartFake(t, rekortest.PublishEvery(-1)), rekortest.StartFake(t)
	l := open(t, config(before), new(rekortest.Checkpoints))
	e := logtest.Prepare(t, l, rekortest.NewECDSASigner(t).Record("under way"))
	type answer struct {
		inclusion *gateway.Inclusion
		err       error
	}
	answers := make(chan answer)
	shard := l.Describe().Shard
	go func() {
		inclusion, err := l.Add(context.Background(), shard, e)
		answers <- answer{inclusion, err}
	}()
	for before.Requests() == 0 {
		time.Sleep(time.Millisecond)
	}
	change, err := l.PrepareChange(config(now))
	if err != nil {
		t.Fatal(err)
	}
	change.Apply()
	if _, err := l.Size(t.Context(), shard); err == nil {
		t.Error("the shard is still there")
	}
	for before.Logged(e.Body) == 0 {
		time.Sleep(time.Millisecond)
	}
	before.Publish()
	got := <-answers
	if got.err != nil {
		t.Fatal(got.err)
	}
	checkInclusion(t, got.inclusion, e, before.Verifier())
}
