// SPDX-License-Identifier: Apache-2.0

package rekorv2_test

import (
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
