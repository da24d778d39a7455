// SPDX-License-Identifier: Apache-2.0

package rekorv2_test

import (
	"fmt"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logtest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
)

// grow appends n entries of others.
func grow(fake *rekortest.Fake, n int) {
	bodies := make([][]byte, n)
	for i := range bodies {
		bodies[i] = fmt.Appendf(nil, "entry %d after %d", i, fake.Size())
	}
	fake.Append(bodies...)
}

func wantSize(t *testing.T, l *rekorv2.Log, want uint64) {
	t.Helper()
	if got, err := l.Size(t.Context(), l.Describe().Shard); err != nil || got != want {
		t.Fatalf("size %d, %v; want %d", got, err, want)
	}
}

// TestFindBehindCache: the checkpoint fetched is older than one seen in an answer, be it by
// another process; the newer one counts.
func TestFindBehindCache(t *testing.T) {
	fake := rekortest.StartFake(t)
	grow(fake, 3)
	store := new(rekortest.Checkpoints)
	l, other := open(t, config(fake), store), open(t, config(fake), store)
	fake.ServeCheckpoint(fake.Checkpoint(3))
	wantSize(t, other, 3)
	e := logtest.Prepare(t, l, rekortest.NewECDSASigner(t).Record("new"))
	if _, err := l.Add(t.Context(), l.Describe().Shard, e); err != nil {
		t.Fatal(err)
	}
	for _, l := range []*rekorv2.Log{l, other} {
		found, err := l.Find(t.Context(), l.Describe().Shard, []gateway.LeafHash{e.LeafHash}, 3, 4)
		if err != nil {
			t.Fatal(err)
		}
		checkInclusion(t, found.Inclusions[e.LeafHash], e, fake.Verifier())
	}
}
