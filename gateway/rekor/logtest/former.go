// SPDX-License-Identifier: Apache-2.0

package logtest

import (
	"math"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// rotated is a log that was another shard before.
type rotated struct {
	gateway.Log
	store  gateway.Checkpoints
	former gateway.Shard
	sent   gateway.Prepared // to the former shard, at index 2 of it
}

// rotate sends an entry to before, and opens the log that is now after that.
func rotate(t *testing.T, now, before Server) rotated {
	t.Helper()
	r := rotated{store: new(rekortest.Checkpoints)}
	growLog(before, 2)
	l := before.Open(t, r.store, 0)
	r.former, r.sent = l.Describe().Shard, prepareSigned(t, l, "before")
	if _, err := l.Add(t.Context(), r.former, r.sent); err != nil {
		t.Fatal(err)
	}
	growLog(now, 7)
	r.Log = now.Open(t, r.store, 0, Former{before, true})
	return r
}

// testFormerRead: what was sent before is found where it was sent, with its proof, and not where the log is now.
func testFormerRead(t *testing.T, now, before Server) {
	r := rotate(t, now, before)
	current := r.Describe().Shard
	if got := r.Former(); current == r.former || len(got) != 1 || got[0] != (gateway.FormerShard{Shard: r.former, Closed: true}) {
		t.Fatalf("now %+v, former ones %+v", current, got)
	}
	for shard, want := range map[gateway.Shard]uint64{current: 7, r.former: 3} {
		if size, err := r.Size(t.Context(), shard); err != nil || size != want {
			t.Errorf("size %d, %v; want %d", size, err, want)
		}
		if kept, err := r.store.Checkpoint(t.Context(), shard); err != nil || kept == nil || kept.Size != want {
			t.Errorf("kept %v, %v", kept, err)
		}
		if tree, err := r.TreeOf(t.Context(), shard); err != nil || tree != shard {
			t.Errorf("the tree of %+v is %+v, %v: they are two trees", shard, tree, err)
		}
		found, err := r.Find(t.Context(), shard, []gateway.LeafHash{r.sent.LeafHash}, 0, math.MaxUint64)
		if err != nil || found.AbsentTo != want {
			t.Errorf("found %+v, %v", found, err)
		}
		got := found.Inclusions[r.sent.LeafHash]
		if (got != nil) != (shard == r.former) {
			t.Errorf("in %+v: %v", shard, got)
		}
		if got != nil {
			before.CheckInclusion(t, got, r.sent)
		}
	}
}

// testFormerNotWritten: nothing is sent to a former shard, nor in its name to the current one.
func testFormerNotWritten(t *testing.T, now, before Server) {
	r := rotate(t, now, before)
	sent := before.Requests()
	e := prepareSigned(t, r, "late")
	for _, shard := range []gateway.Shard{r.former, {}} {
		if got, err := r.Add(t.Context(), shard, e); OutcomeOf(err) != "not sent" || got != nil {
			t.Errorf("%v, %v", got, err)
		}
	}
	if before.Requests() != sent || now.Requests() != 0 {
		t.Error("it was sent")
	}
	got, err := r.Add(t.Context(), r.Describe().Shard, e)
	if err != nil {
		t.Fatal(err)
	}
	now.CheckInclusion(t, got, e)
}

// testFormerForked: a fork of one shard is no other's.
func testFormerForked(t *testing.T, now, before Server) {
	r := rotate(t, now, before)
	before.Fork(1)
	growLog(before, 2)
	if _, err := r.Size(t.Context(), r.former); OutcomeOf(err) != "fork" {
		t.Errorf("size: %v", err)
	}
	if _, err := r.Find(t.Context(), r.former, []gateway.LeafHash{r.sent.LeafHash}, 0, math.MaxUint64); OutcomeOf(err) != "fork" {
		t.Errorf("finding: %v", err)
	}
	e := prepareSigned(t, r, "after the fork")
	got, err := r.Add(t.Context(), r.Describe().Shard, e)
	if err != nil {
		t.Fatal(err)
	}
	now.CheckInclusion(t, got, e)
}

// testNotConfigured: nothing is known of a shard that is not the log's.
func testNotConfigured(t *testing.T, now, before Server) {
	r := rotate(t, now, before)
	l := now.Open(t, r.store, 0)
	if got := l.Former(); len(got) != 0 {
		t.Errorf("former ones: %+v", got)
	}
	if _, err := l.Size(t.Context(), r.former); OutcomeOf(err) != "unavailable" {
		t.Errorf("size: %v", err)
	}
	if found, err := l.Find(t.Context(), r.former, []gateway.LeafHash{r.sent.LeafHash}, 0, math.MaxUint64); OutcomeOf(err) != "unavailable" || found.AbsentTo != 0 {
		t.Errorf("finding: %+v, %v", found, err)
	}
	if _, err := l.TreeOf(t.Context(), r.former); OutcomeOf(err) != "unavailable" {
		t.Errorf("tree: %v", err)
	}
}
