// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/steady"
)

// claimTime is what a claim takes a lineStore.
const claimTime = 300 * time.Millisecond

// lineStore has entries in a line, and takes its time for a claim.
type lineStore struct {
	gateway.Work
	entries int // in all

	mu      sync.Mutex // guards what follows
	claimed int64
	back    []int64 // given back, untried
	logged  int
}

func (s *lineStore) DoubtPending(context.Context, string, gateway.Shard) (int, error) { return 0, nil }

func (s *lineStore) Claim(_ context.Context, p gateway.ClaimParams) (claimed []gateway.Claimed, err error) {
	time.Sleep(claimTime)
	s.mu.Lock()
	defer s.mu.Unlock()
	for range min(p.Limit, p.InFlight-int(s.claimed)+s.logged+len(s.back)) {
		if int(s.claimed) == s.entries {
			break
		}
		s.claimed++
		claimed = append(claimed, gateway.Claimed{Entry: gateway.Entry{ID: s.claimed, Fence: 1, Shard: p.Shard, SentAtTreeSize: &p.TreeSize}, Body: []byte("b")})
	}
	return claimed, nil
}

func (s *lineStore) Finish(_ context.Context, outcomes []gateway.Outcome) ([]gateway.Progress, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range outcomes {
		switch {
		case o.Inclusion != nil:
			s.logged++
		case o.Untried && o.RetryIn == 0:
			s.back = append(s.back, o.EntryID)
		}
	}
	return nil, nil
}

func (s *lineStore) Extend(context.Context, []gateway.Lease, time.Duration) ([]gateway.Lease, error) {
	return nil, nil
}

func (s *lineStore) Doubtful(context.Context, gateway.DoubtParams) ([]gateway.Doubt, error) {
	return nil, nil
}

func (s *lineStore) CountDoubtful(context.Context, string) (map[gateway.Shard]int, error) {
	return nil, nil //nolint:nilnil // there are none
}

func (s *lineStore) givenBack() []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.back)
}

// secondsLog answers each entry after a second, all that came by then at once, as with a checkpoint.
type secondsLog struct {
	scriptedLog

	mu     sync.Mutex  // guards what follows
	err    error       // what it answers
	unread error       // what it answers when it is read
	sends  []time.Time // when they came
	shard  gateway.Shard
	to     map[gateway.Shard]int // sends, by shard
}

var nextShard = gateway.Shard{Origin: "log.example", KeyID: [32]byte{3}}

// rotate has it go on in the next shard.
func (l *secondsLog) rotate() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shard = nextShard
}

func (l *secondsLog) Describe() gateway.LogInfo {
	l.mu.Lock()
	defer l.mu.Unlock()
	info := l.scriptedLog.Describe()
	if l.shard != (gateway.Shard{}) {
		info.Shard = l.shard
	}
	return info
}

func (l *secondsLog) sentTo(shard gateway.Shard) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to[shard]
}

func (l *secondsLog) Size(context.Context, gateway.Shard) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.size, l.unread
}

func (l *secondsLog) Add(ctx context.Context, shard gateway.Shard, _ gateway.Prepared) (*gateway.Inclusion, error) {
	l.mu.Lock()
	l.sends = append(l.sends, time.Now())
	if l.to == nil {
		l.to = map[gateway.Shard]int{}
	}
	l.to[shard]++
	l.mu.Unlock()
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return nil, l.err
	}
	return &gateway.Inclusion{Kind: "k", Proof: []byte("p"), Index: 5}, nil
}

// fail has it answer so from now on, to what is sent and to who reads it.
func (l *secondsLog) fail(sent, read error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err, l.unread = sent, read
}

// sent returns how many entries were sent up to now, and when the last ones were, before now.
func (l *secondsLog) sent() (n int, ago time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sends), time.Since(l.sends[len(l.sends)-1])
}

// startAhead starts a worker of a log that bears bound entries at once, within limits.
func startAhead(t *testing.T, entries int, limits Limits) (*worker, *lineStore, *secondsLog, func()) {
	store, log := &lineStore{entries: entries}, &secondsLog{scriptedLog: scriptedLog{size: 1}}
	w := newWorker(log, Config{
		Store: store, Logger: slog.New(slog.DiscardHandler), Changed: func([]gateway.Progress) {}, Metrics: Metrics{}.withDefaults(),
		Timing: Timing{AddTimeout: time.Minute, Drain: 10 * time.Second, ProbeAfter: time.Hour}.withDefaults(), Limits: func(string) Limits { return limits },
	})
	w.next = func() []string { return nil }
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.runWorker(ctx) })
	stop := sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	return w, store, log, stop
}

// TestSendsAhead: who has an answer sends what was claimed ahead at once, and no more is under way than may be.
func TestSendsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, log, _ := startAhead(t, 1000, Limits{InFlight: 40})
		time.Sleep(claimTime + time.Second - time.Millisecond)
		if n, _ := log.sent(); n != 40 {
			t.Fatalf("%d sent before the first answer", n)
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if n, ago := log.sent(); n != 50 || ago != time.Millisecond {
			t.Errorf("with the first answers %d are sent, the last ones %v ago", n, ago)
		}
		time.Sleep(2*claimTime + 4*longestGather)
		w.budget.mu.Lock()
		taken := w.budget.taken
		w.budget.mu.Unlock()
		if n, _ := log.sent(); n != 80 || taken != 40 {
			t.Errorf("after two more claims %d are sent, and %d under way", n, taken)
		}
	})
}

// TestNothingAhead: whatever keeps a log from being sent to has what was claimed ahead go back into its line, untried, and nothing is claimed ahead for a while.
func TestNothingAhead(t *testing.T) {
	for name, answers := range map[string]struct{ sent, read error }{
		"log refuses":        {&gateway.OverloadError{RetryAfter: time.Minute}, nil},
		"log fails":          {gateway.ErrNotSent, nil},
		"log cannot be read": {gateway.ErrNotSent, gateway.ErrFork},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, store, log, _ := startAhead(t, 1000, Limits{InFlight: 40})
				time.Sleep(claimTime + time.Second/2)
				log.fail(answers.sent, answers.read)
				w.noteReading(answers.read)
				time.Sleep(3 * time.Second)
				if got, n := store.givenBack(), w.held.count(); len(got) != 10 || got[0] != 41 || n > 1 {
					t.Errorf("given back: %v; %d under leases", got, n)
				}
				if n, _ := log.sent(); n > 41 {
					t.Errorf("%d sent", n)
				}
			})
		})
	}
}

// TestAheadOfAFormerShard: once the log has rotated, what was claimed ahead for its former shard is not sent, and goes back.
func TestAheadOfAFormerShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, store, log, _ := startAhead(t, 1000, Limits{InFlight: 40})
		time.Sleep(claimTime + time.Second/2)
		log.rotate()
		time.Sleep(time.Second)
		if got := store.givenBack(); len(got) != 10 || log.sentTo(currentShard) != 40 || log.sentTo(nextShard) == 0 {
			t.Errorf("given back: %v; %d sent to the former shard, %d to the new one", got, log.sentTo(currentShard), log.sentTo(nextShard))
		}
	})
}

// TestAheadAtAnEnd: a worker that ends sends nothing more, and gives back what was claimed ahead.
func TestAheadAtAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, store, log, stop := startAhead(t, 1000, Limits{InFlight: 40})
		time.Sleep(claimTime + time.Second/2)
		stop()
		if n, _ := log.sent(); n != 40 || len(store.givenBack()) != 10 || store.logged != 40 || w.held.count() != 0 {
			t.Errorf("%d sent, %d logged, given back: %v", n, store.logged, store.back)
		}
	})
}

// TestNoLeadOfARate: a log that is sent to at a rate has nothing claimed ahead, a minute after it is not any more it has.
func TestNoLeadOfARate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget("log", Limits{InFlight: 100, Rate: 10, Burst: 20}, Timing{}.withDefaults(), Metrics{}.withDefaults(), false)
		slots, _, _ := b.takeSlots(100)
		if len(slots) != 20 || b.lead() != 0 || b.leases() != 100 || b.leasesOfAll() != 100 {
			t.Errorf("%d slots; at a rate %d leases", len(slots), b.leases())
		}
		b.setLimits(Limits{InFlight: 100})
		time.Sleep(leadAfter)
		if _, why, _ := b.takeSlots(100); why != "" || b.lead() != 25 || b.leases() != 125 || b.leasesOfAll() != 125 {
			t.Errorf("%s; without a rate %d leases", why, b.leases())
		}
	})
}

// TestAheadInOrder: what yields is sent after what does not.
func TestAheadInOrder(t *testing.T) {
	var a ahead
	entry := func(id int64, yields bool) *send {
		return &send{Claimed: gateway.Claimed{Entry: gateway.Entry{ID: id}, Yields: yields}, since: steady.Now()}
	}
	a.add([]*send{entry(1, false), entry(2, true), entry(3, true)})
	a.add([]*send{entry(4, false), entry(5, false), entry(6, true)})
	var got []int64
	for _, s := range append(a.take(2), a.take(9)...) {
		got = append(got, s.ID)
	}
	if want := []int64{1, 4, 5, 2, 3, 6}; !slices.Equal(got, want) || !a.isEmpty() {
		t.Errorf("sent in the order %v, want %v", got, want)
	}
	a.add([]*send{entry(7, false)})
	a.close()
	if a.take(1) != nil || len(a.cut(0)) != 1 {
		t.Error("sent after the end")
	}
}

// TestLeaseEndsAhead: an entry whose lease has ended while it waited for a slot is not sent.
func TestLeaseEndsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &secondsLog{scriptedLog: scriptedLog{size: 1}}
		w := newWorker(log, renewedConfig(&renewedStore{}))
		w.ahead.add(w.held.addClaimed(t.Context(), []gateway.Claimed{{Entry: gateway.Entry{ID: 1, Fence: 1, Shard: currentShard}}}, steady.Now()))
		time.Sleep(w.timing.Lease + time.Second)
		s := w.nextAhead()
		if r := w.sendEntry(s); !errors.Is(r.err, gateway.ErrNotSent) || len(log.sends) != 0 || w.budget.taken != 0 {
			t.Errorf("%v, %d sent, %d slots taken", r.err, len(log.sends), w.budget.taken)
		}
	})
}
