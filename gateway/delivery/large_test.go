// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/steady"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekord"
)

// blobsOf says that every entry has an artifact of a size.
type blobsOf struct {
	gateway.Blobs
	size int64
}

func (b blobsOf) BlobOf(context.Context, gateway.LeafHash) (gateway.Blob, error) {
	return gateway.Blob{Size: b.size}, nil
}

// silentLog never answers, and says nothing before ctx ends.
type silentLog struct{ gateway.Log }

func (silentLog) Add(ctx context.Context, _ gateway.Shard, _ gateway.Prepared) (*gateway.Inclusion, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestLargeEntriesMayTakeLonger: an entry with its artifact may take longer by the bytes that are sent, under a lease that is extended meanwhile; one without
// takes no longer than before, whatever the log has been sent.
func TestLargeEntriesMayTakeLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := retryWorker(nil)
		w.log, w.blobs = silentLog{w.log}, blobsOf{size: 96 << 20}
		for kind, want := range map[string]time.Duration{rekord.Kind: w.timing.AddTimeout + 128*time.Second, "hashedrekord/0.0.1": w.timing.AddTimeout} {
			e := claimedEntry(1, 1)
			e.Kind, e.Body, e.Shard, e.SentAtTreeSize = kind, []byte("b"), currentShard, new(uint64)
			slots, _, _ := w.budget.takeSlots(1)
			sends, _ := w.held.addClaimed(t.Context(), []gateway.Claimed{e}, steady.Now(), slots)
			done := make(chan struct{})
			go func() {
				for {
					select {
					case <-done:
						return
					case <-time.After(w.timing.Lease / 3):
						aged, since := w.held.listAged()
						w.held.noteExtended(aged, nil, since)
					}
				}
			}()
			began := time.Now()
			r := w.sendEntry(sends[0])
			close(done)
			if took := time.Since(began); took < want || took > want+time.Second || !r.InDoubt {
				t.Errorf("%s: ended after %v, want %v: %+v", kind, took, want, r.Outcome)
			}
			w.held.releaseOutcomes([]gateway.Outcome{r.Outcome})
		}
	})
}
