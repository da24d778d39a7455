// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"encoding/binary"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// twoLines has entries in two lines, and claims what is backfill for want of anything else.
type twoLines struct {
	lineStore

	urgent, backfill []int64 // by ID; guarded by mu, as is all that follows
	leased           int
	claimErr         error
	doubted          time.Time
	doubts           []gateway.Doubt             // with one, all that is claimed was sent before
	finish           func(context.Context) error // nil: outcomes are stored
}

func (s *twoLines) add(line *[]int64, from, to int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := from; id <= to; id++ {
		*line = append(*line, id)
	}
}

// failClaims has claims fail so from now on.
func (s *twoLines) failClaims(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claimErr = err
}

func (s *twoLines) Claim(_ context.Context, p gateway.ClaimParams) (claimed []gateway.Claimed, err error) {
	time.Sleep(time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.claimErr; err != nil {
		return nil, err
	}
	for n := min(p.Limit, p.InFlight-s.leased); n > 0 && len(s.urgent)+len(s.backfill) > 0; n-- {
		line, yields := &s.urgent, false
		if len(s.urgent) == 0 {
			line, yields = &s.backfill, true
		}
		e := gateway.Entry{ID: (*line)[0], Fence: 1, Shard: p.Shard, SentAtTreeSize: &p.TreeSize}
		binary.BigEndian.PutUint64(e.LeafHash[:], uint64(e.ID))
		if len(s.doubts) > 0 {
			e.LastSentAt = time.Now()
		}
		claimed = append(claimed, gateway.Claimed{Entry: e, Body: []byte("b"), Yields: yields})
		*line = (*line)[1:]
		s.leased++
	}
	return claimed, nil
}

// DoubtPending has nothing be in line any more.
func (s *twoLines) DoubtPending(context.Context, string, gateway.Shard) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.claimErr != nil {
		s.claimErr, s.doubted, s.urgent, s.backfill = nil, time.Now(), nil, nil
	}
	return 0, nil
}

func (s *twoLines) Doubtful(context.Context, gateway.DoubtParams) ([]gateway.Doubt, error) {
	return s.doubts, nil
}

func (s *twoLines) Settle(context.Context, []gateway.Settlement) ([]gateway.Progress, error) {
	return nil, nil
}

func (s *twoLines) doubtedAt() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doubted
}

func (s *twoLines) Finish(ctx context.Context, outcomes []gateway.Outcome) ([]gateway.Progress, error) {
	s.mu.Lock()
	finish := s.finish
	s.mu.Unlock()
	if finish != nil {
		if err := finish(ctx); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	s.leased -= len(outcomes)
	for _, o := range outcomes {
		if o.Untried && s.doubted.IsZero() {
			s.backfill = append([]int64{o.EntryID}, s.backfill...)
		}
	}
	s.mu.Unlock()
	return s.lineStore.Finish(ctx, outcomes)
}

// countLog notes which entry it is sent when, and answers it by answer.
type countLog struct {
	scriptedLog

	answer func(ctx context.Context, id int64) error

	mu     sync.Mutex // guards what follows
	unread error
	ids    []int64
	at     map[int64]time.Time
}

func (l *countLog) Size(context.Context, gateway.Shard) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.size, l.unread
}

func (l *countLog) Add(ctx context.Context, _ gateway.Shard, p gateway.Prepared) (*gateway.Inclusion, error) {
	id := int64(binary.BigEndian.Uint64(p.LeafHash[:]))
	l.mu.Lock()
	l.ids = append(l.ids, id)
	l.at[id] = time.Now()
	l.mu.Unlock()
	if err := l.answer(ctx, id); err != nil {
		return nil, err
	}
	return &gateway.Inclusion{Kind: "k", Proof: []byte("p"), Index: 5}, nil
}

func (l *countLog) sent() []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.ids)
}

func (l *countLog) sentAt(id int64) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at[id]
}

// afterSecond answers each entry after a second.
func afterSecond(ctx context.Context, _ int64) error {
	select {
	case <-time.After(time.Second):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// oneByOne answers entries one after the other so, each a time d after the one before.
func oneByOne(d time.Duration, answer error) func(context.Context, int64) error {
	var mu sync.Mutex
	var busy time.Time
	return func(ctx context.Context, _ int64) error {
		mu.Lock()
		busy = later(busy, time.Now()).Add(d)
		wait := time.Until(busy)
		mu.Unlock()
		select {
		case <-time.After(wait):
			return answer
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func startLines(t *testing.T, store *twoLines, inFlight int, answer func(context.Context, int64) error) (w *worker, log *countLog, stop func()) {
	find := func(_, to uint64) (gateway.Found, error) { return gateway.Found{AbsentTo: to}, nil }
	log = &countLog{scriptedLog: scriptedLog{size: 1, find: find}, answer: answer, at: map[int64]time.Time{}}
	store.entries = 1 << 30
	w = newWorker(log, Config{
		Store: store, Logger: slog.New(slog.DiscardHandler), Changed: func([]gateway.Progress) {}, Metrics: Metrics{}.withDefaults(),
		Timing: Timing{AddTimeout: time.Minute, Drain: 10 * time.Second}.withDefaults(),
		Limits: func(string) Limits { return Limits{InFlight: inFlight} },
		Probe:  func(context.Context, gateway.Log) (gateway.Prepared, error) { return gateway.Prepared{}, nil },
	})
	w.next = func() []string { return nil }
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.runWorker(ctx) })
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	return w, log, stop
}

// TestRefusedAhead: where the log refuses what it is sent, what was claimed ahead is sent before what is claimed later.
func TestRefusedAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &twoLines{}
		store.add(&store.urgent, 1, 1000)
		_, log, _ := startLines(t, store, 40, oneByOne(25*time.Millisecond, gateway.ErrRefused))
		time.Sleep(5500 * time.Millisecond)
		sent := log.sent()
		slices.Sort(sent)
		for i, id := range sent {
			if id != int64(i+1) {
				t.Fatalf("%d entries are sent, up to number %d, and number %d is not", len(sent), sent[len(sent)-1], i+1)
			}
		}
	})
}

// TestYieldsAheadAge: what yields is sent once it is of the age from which backfill competes with what is urgent.
func TestYieldsAheadAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &twoLines{}
		store.add(&store.backfill, 1, 46) // 40 are under way, 6 are ahead
		_, log, _ := startLines(t, store, 40, oneByOne(250*time.Millisecond, nil))
		time.Sleep(100 * time.Millisecond)
		store.add(&store.urgent, 1001, 20000)
		time.Sleep(gateway.BackfillAge + time.Minute)
		for id := int64(41); id <= 46; id++ {
			if log.sentAt(id).IsZero() {
				t.Errorf("number %d is not sent after %v, %d are", id, gateway.BackfillAge, len(log.sent()))
			}
		}
	})
}

// TestFewerAhead: once fewer may be under way, no more is ahead than belongs to that, and what is urgent does not wait for it.
func TestFewerAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &twoLines{}
		store.add(&store.backfill, 1, 10_000)
		w, log, _ := startLines(t, store, 400, afterSecond)
		time.Sleep(500 * time.Millisecond)
		w.budget.setLimits(Limits{InFlight: 4})
		w.wakeWorker()
		store.add(&store.urgent, 20_000, 20_000)
		began := time.Now()
		for log.sentAt(20_000).IsZero() && time.Since(began) < time.Minute {
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("what is urgent is sent after %v", took)
		}
	})
}

// TestDoubtedAhead: what was claimed before the store went on with what may be an older state is not sent after that, as its leases are worth nothing.
func TestDoubtedAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &twoLines{}
		store.add(&store.backfill, 1, 100)
		_, log, _ := startLines(t, store, 40, oneByOne(250*time.Millisecond, nil))
		time.Sleep(1100 * time.Millisecond)
		store.failClaims(gateway.ErrDoubtFirst)
		time.Sleep(time.Minute)
		at := store.doubtedAt()
		for id := range int64(100) {
			if sent := log.sentAt(id + 1); sent.After(at) {
				t.Errorf("number %d is sent %v after that", id+1, sent.Sub(at))
			}
		}
	})
}

// TestEndWithManyAhead: a worker ends in time that cannot store what was claimed ahead, however much that is.
func TestEndWithManyAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &twoLines{finish: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		store.add(&store.backfill, 1, 40_000)
		w, _, stop := startLines(t, store, 5*MaxInFlight, oneByOne(time.Hour, nil))
		time.Sleep(time.Second)
		if n := w.held.count(); n < 25*MaxInFlight/4 {
			t.Fatalf("%d under leases", n)
		}
		began, ended := time.Now(), make(chan struct{})
		go func() { stop(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Fatal("it does not end")
		}
		if took := time.Since(began); took > w.timing.Drain+finishGrace+time.Second {
			t.Errorf("it takes %v", took)
		}
	})
}

// TestNothingAheadOfReading: a log that cannot be read now and then has nothing claimed ahead.
func TestNothingAheadOfReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &twoLines{}
		store.add(&store.backfill, 1, 10_000)
		w, log, _ := startLines(t, store, 40, afterSecond)
		time.Sleep(500 * time.Millisecond)
		for range 14 {
			for _, err := range []error{gateway.ErrUnavailable, nil} {
				log.mu.Lock()
				log.unread = err
				log.mu.Unlock()
				w.noteReading(err)
				w.size.mu.Lock()
				w.size.askedAt = time.Time{}
				w.size.mu.Unlock()
				w.wakeWorker()
				time.Sleep(2 * time.Second)
			}
		}
		if n := len(store.givenBack()); n != 10 {
			t.Errorf("%d given back", n)
		}
	})
}

// TestProbeBesideBacklog: a probe is sent that entries in doubt wait for, however much is ahead, and of which none can be a canary.
func TestProbeBesideBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &twoLines{doubts: []gateway.Doubt{{Entry: gateway.Entry{ID: 1 << 40, LastSentAt: time.Now(), SentAtTreeSize: new(uint64)}, SentAgo: time.Hour}}}
		store.add(&store.urgent, 1, 10_000)
		_, log, _ := startLines(t, store, 40, oneByOne(250*time.Millisecond, nil))
		time.Sleep(10 * time.Second)
		if log.sentAt(0).IsZero() {
			t.Errorf("no probe beside %d entries", len(log.sent()))
		}
	})
}
