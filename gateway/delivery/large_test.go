// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"sync"
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

// slowLog takes a second for an entry, and refuses it then.
type slowLog struct {
	gateway.Log
	*crowd
}

// crowd counts who is there at once.
type crowd struct {
	mu        sync.Mutex
	now, most int64
}

func (c *crowd) come(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now += n
	c.most = max(c.most, c.now)
}

func (l slowLog) Add(context.Context, gateway.Shard, gateway.Prepared) (*gateway.Inclusion, error) {
	l.come(1)
	defer l.come(-1)
	time.Sleep(time.Second)
	return nil, gateway.ErrRefused
}

// TestFewArtifactsAtOnce: of large artifacts few are under way at once, whatever the bound on entries, and whoever waits loses nothing of his own time. Entries
// without one pass.
func TestFewArtifactsAtOnce(t *testing.T) {
	for size, want := range map[int64]int64{1 << 30: 1, 12 << 20: 2, 1 << 20: 10, 0: 10} {
		synctest.Test(t, func(t *testing.T) {
			w := retryWorker(nil)
			log := slowLog{w.log, &crowd{}}
			w.log, w.blobs = log, blobsOf{size: size}
			slots, _, _ := w.budget.takeSlots(11)
			var entries []gateway.Claimed
			for i := range int64(11) {
				e := claimedEntry(i+1, 1)
				e.Kind, e.Body, e.Shard, e.SentAtTreeSize = rekord.Kind, []byte("b"), currentShard, new(uint64)
				if i == 10 {
					e.Kind = "hashedrekord/0.0.1"
				}
				entries = append(entries, e)
			}
			sends, _ := addWithSlots(t.Context(), w.held, entries, steady.Now(), slots)
			var sending sync.WaitGroup
			began := time.Now()
			for i, s := range sends {
				sending.Go(func() {
					if r := w.sendEntry(s); r.InDoubt || r.err == nil {
						t.Errorf("%+v, %v", r.Outcome, r.err)
					}
					if i == 10 && time.Since(began) > 2*time.Second {
						t.Error("an entry without an artifact waits for those")
					}
				})
			}
			sending.Wait()
			if log.most != want+1 { // and the one that has none
				t.Errorf("%d of %d bytes each were under way at once, want %d", log.most-1, size, want)
			}
		})
	}
}

// TestArtifactsLeaveRoom: artifacts that wait for their turns, however many, leave slots to entries that need none, and are in no doubt, and tried no more often.
func TestArtifactsLeaveRoom(t *testing.T) {
	t.Run("in flight", func(t *testing.T) { testRoom(t, Limits{}, flightStart) })
	t.Run("at a rate", func(t *testing.T) { testRoom(t, Limits{Rate: 2, Burst: 10}, 10) })
}

func testRoom(t *testing.T, limits Limits, bound int) {
	synctest.Test(t, func(t *testing.T) {
		w := retryWorker(nil)
		w.log, w.blobs = silentLog{w.log}, blobsOf{size: 96 << 20}
		w.budget.setLimits(limits)
		var sending sync.WaitGroup
		var mu sync.Mutex
		back, id := 0, int64(0)
		work, stop := context.WithCancel(t.Context())
		for range 10 {
			slots, _, _ := w.budget.takeSlots(bound)
			var entries []gateway.Claimed
			for range slots {
				id++
				e := claimedEntry(id, 1)
				e.Kind, e.Body, e.Shard, e.SentAtTreeSize, e.Attempts = rekord.Kind, []byte("b"), currentShard, new(uint64), 1
				entries = append(entries, e)
			}
			sends, _ := addWithSlots(work, w.held, entries, steady.Now(), slots)
			for _, s := range sends {
				sending.Go(func() {
					r := w.sendEntry(s)
					w.held.releaseOutcomes([]gateway.Outcome{r.Outcome})
					mu.Lock()
					defer mu.Unlock()
					if work.Err() == nil && r.Untried && r.Retry && !r.InDoubt && r.RetryIn > 0 && r.RetryIn < 2*longestPause {
						back++
					}
				})
			}
			synctest.Wait()
			time.Sleep(time.Second)
		}
		slots, why, _ := w.budget.takeSlots(bound)
		if len(slots) < bound/2 {
			t.Errorf("%d of %d slots are left to others (%q)", len(slots), bound, why)
		}
		giveBackSlots(slots)
		mu.Lock()
		if under := int(id) - back; under > bound/4+1 || under < 2 {
			t.Errorf("%d of %d are under way, or wait", under, id)
		}
		mu.Unlock()
		stop()
		sending.Wait()
	})
}

// TestLineCloses: who waits for a turn when the worker ends is sent away at once, and begins nothing.
func TestLineCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newArtifactLine()
		done, pause := l.wait(t.Context(), artifactsAtOnce, 2)
		if done == nil || pause > 0 {
			t.Fatal("the first has to wait")
		}
		var away sync.WaitGroup
		for range 2 {
			away.Go(func() {
				if done, pause := l.wait(t.Context(), 1, 2); done != nil || pause == 0 {
					t.Error("a turn was given after the end")
				}
			})
		}
		synctest.Wait()
		l.close()
		away.Wait()
		done()
		if !l.turns.TryAcquire(artifactsAtOnce) || l.waiting != 0 {
			t.Errorf("turns are lost, or %d wait", l.waiting)
		}
	})
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
			sends, _ := addWithSlots(t.Context(), w.held, []gateway.Claimed{e}, steady.Now(), slots)
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
