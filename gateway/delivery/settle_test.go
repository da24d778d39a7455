// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// TestCanaries: absence counts for what was not under way any more before a canary was sent, and only
// beyond the first checkpoint that covers it.
func TestCanaries(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(1_800_000_000+int64(s), 0) }
	var c canaries
	wants := func(want bool, since int, absentTo uint64) {
		t.Helper()
		if got := c.provesAbsence(at(since), absentTo); got != want {
			t.Errorf("since %d, absent to %d: %t", since, absentTo, got)
		}
	}
	wants(false, 0, 1000)
	c.addLogged(at(10), 50)
	wants(false, 5, 1000) // not seen to be covered
	c.noteSize(50)
	wants(false, 5, 1000) // still not
	c.noteSize(60)
	wants(false, 5, 60) // the first checkpoint that covers it
	wants(true, 5, 61)
	c.noteSize(80)
	wants(true, 5, 61) // the first one stays the first
	wants(false, 10, 61)
	wants(false, 11, 61)
	c.addLogged(at(20), 79)
	c.noteSize(90)
	wants(true, 11, 91)
	wants(false, 11, 90)
	wants(true, 5, 61)
	wants(false, 20, 1000)
}

// TestCanariesAreBounded: of many, those are kept that count for the most doubts.
func TestCanariesAreBounded(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(1_800_000_000_000 + int64(ms)) }
	var c canaries
	for i := range 5 {
		c.addLogged(at(100*i), uint64(i))
	}
	c.addLogged(at(50), 9) // answered late
	if len(c.list) != 1 || c.list[0].index != 4 {
		t.Errorf("kept %+v", c.list)
	}
	for i := range 2 * maxCanaries {
		c.addLogged(at(2000*i), uint64(100+i))
		c.noteSize(uint64(101 + i))
	}
	if n := len(c.list); n != maxCanaries || c.list[n-1].index != uint64(99+2*maxCanaries) {
		t.Errorf("%d kept", n)
	}
}

func doubtAt(id int64, absentTo uint64) *doubt {
	return &doubt{Doubt: gateway.Doubt{Entry: gateway.Entry{ID: id, Fence: 3, LeafHash: gateway.LeafHash{byte(id)}}}, absentTo: absentTo}
}

// TestNoteFound: what is found is logged, and absence is what was searched and no more.
func TestNoteFound(t *testing.T) {
	inclusion := &gateway.Inclusion{Kind: "k"}
	found, absent, ahead, partly, done := doubtAt(1, 100), doubtAt(2, 100), doubtAt(3, 500), doubtAt(4, 150), doubtAt(5, 100)
	done.settled = true
	var counts settleCounts
	got := noteFound([]*doubt{found, absent, ahead, partly, done}, gateway.Found{Inclusions: map[gateway.LeafHash]*gateway.Inclusion{{1}: inclusion, {5}: inclusion}}, 100, 200, &counts)
	want := []gateway.Settlement{{EntryID: 1, Fence: 3, Inclusion: inclusion}, {EntryID: 2, Fence: 3, AbsentTo: 200}, {EntryID: 4, Fence: 3, AbsentTo: 200}}
	if fmt.Sprint(got) != fmt.Sprint(want) || counts.found != 1 || !found.settled || absent.absentTo != 200 || ahead.absentTo != 500 {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := noteFound([]*doubt{absent}, gateway.Found{}, 200, 200, &counts); len(got) != 0 {
		t.Errorf("nothing was searched: %+v", got)
	}
	behind := doubtAt(6, 10) // the search began beyond what is proven of it
	if got := noteFound([]*doubt{behind}, gateway.Found{}, 100, 200, &counts); len(got) != 0 || behind.absentTo != 10 {
		t.Errorf("%+v, though indexes 10 to 100 were not searched", got)
	}
}

// TestSplitDoubts: those near the log's end do not wait for those with a long way to go.
func TestSplitDoubts(t *testing.T) {
	const size = 10_000_000
	near, far := splitDoubts([]*doubt{doubtAt(1, 0), doubtAt(2, size), doubtAt(3, size-nearWindows*scanWindow), doubtAt(4, size-nearWindows*scanWindow-1)}, size)
	if len(near) != 2 || len(far) != 2 || near[1].ID != 3 || far[1].ID != 4 {
		t.Errorf("%d near, %d far", len(near), len(far))
	}
}

// scriptedLog answers Find as it is told.
type scriptedLog struct {
	gateway.Log
	size   uint64
	delay  time.Duration
	byHash bool
	former []gateway.FormerShard
	find   func(from, to uint64) (gateway.Found, error)
	ask    func(ctx context.Context, leaves []gateway.LeafHash, to uint64) (gateway.Found, error) // in place of find, where it is set
}

func (l *scriptedLog) Describe() gateway.LogInfo {
	return gateway.LogInfo{ID: "log", Shard: currentShard, IntegrationDelay: l.delay, ByHash: l.byHash}
}
func (l *scriptedLog) Former() []gateway.FormerShard { return l.former }
func (l *scriptedLog) TreeOf(_ context.Context, shard gateway.Shard) (gateway.Shard, error) {
	return shard, nil
}
func (l *scriptedLog) Size(context.Context, gateway.Shard) (uint64, error) { return l.size, nil }
func (l *scriptedLog) Find(ctx context.Context, _ gateway.Shard, leaves []gateway.LeafHash, from, to uint64) (gateway.Found, error) {
	if l.ask != nil {
		return l.ask(ctx, leaves, to)
	}
	return l.find(from, to)
}

var currentShard = gateway.Shard{Origin: "log.example", KeyID: [32]byte{2}}

// doubtStore has doubts, and takes down what is settled.
type doubtStore struct {
	gateway.Work
	doubts  []gateway.Doubt
	settled []gateway.Settlement
	fail    error
}

func (s *doubtStore) Doubtful(_ context.Context, p gateway.DoubtParams) (d []gateway.Doubt, err error) {
	for _, e := range s.doubts {
		if e.ID > p.After && len(d) < p.Limit {
			d = append(d, e)
		}
	}
	return d, nil
}

func (s *doubtStore) Settle(ctx context.Context, settlements []gateway.Settlement) ([]gateway.Progress, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	s.settled = append(s.settled, settlements...)
	return nil, s.fail
}

func scanWorker(log *scriptedLog, store *doubtStore) *scanner {
	cfg := Config{Store: store, Changed: func([]gateway.Progress) {}, Logger: slog.New(slog.DiscardHandler)}
	cfg.Timing, cfg.Metrics = Timing{AddTimeout: time.Minute}.withDefaults(), Metrics{}.withDefaults()
	return newScanner(newWorker(log, cfg), currentShard)
}

// TestSearchCutShort: whatever cuts a search short, an error, the end of the process or the store, what was shown
// before is stored, and it goes on there.
func TestSearchCutShort(t *testing.T) {
	size := uint64(3*scanWindow + 5)
	store := &doubtStore{}
	log := &scriptedLog{size: size}
	w := scanWorker(log, store)
	var counts settleCounts
	search := func(ctx context.Context, d *doubt) error {
		return w.searchDoubts(ctx, currentShard, []*doubt{d}, size, 9, &counts)
	}

	d := doubtAt(1, 10)
	broken := fmt.Errorf("tile: %w", gateway.ErrBadAnswer)
	log.find = func(from, to uint64) (gateway.Found, error) {
		if from >= scanWindow {
			return gateway.Found{AbsentTo: from}, broken
		}
		return gateway.Found{AbsentTo: to}, nil
	}
	if err := search(t.Context(), d); !errors.Is(err, broken) || d.absentTo != scanWindow+10 || len(store.settled) != 1 {
		t.Errorf("%v, absent to %d, stored %+v", err, d.absentTo, store.settled)
	}

	ctx, end := context.WithCancel(t.Context())
	log.find = func(from, _ uint64) (gateway.Found, error) {
		end()
		return gateway.Found{AbsentTo: from + 256}, context.Canceled
	}
	if err := search(ctx, d); err != nil || store.settled[len(store.settled)-1].AbsentTo != scanWindow+266 {
		t.Errorf("%v, stored %+v", err, store.settled)
	}

	var froms []uint64
	log.find = func(from, to uint64) (gateway.Found, error) {
		froms = append(froms, from)
		return gateway.Found{AbsentTo: to}, nil
	}
	if err := search(t.Context(), d); err != nil || d.absentTo != size || !slices.Equal(froms, []uint64{scanWindow + 266, 2*scanWindow + 266}) {
		t.Errorf("%v, absent to %d, searched from %d", err, d.absentTo, froms)
	}

	log.find = func(uint64, uint64) (gateway.Found, error) { return gateway.Found{AbsentTo: 5}, nil } // a log that has shrunk
	if err := search(t.Context(), doubtAt(2, 10)); !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("a search that does not get on: %v", err)
	}
	store.fail = errors.New("disk full")
	log.find = func(_, to uint64) (gateway.Found, error) { return gateway.Found{AbsentTo: to}, nil }
	if err := search(t.Context(), doubtAt(3, 10)); !errors.Is(err, store.fail) {
		t.Errorf("a store that fails: %v", err)
	}
}

// TestResend: an absent entry is sent again once all of the conditions hold, and not before. So it is where the log has no tiles: that it does not
// know an entry may be since it has not integrated it yet, and what is not in doubt may go to another log.
func TestResend(t *testing.T) {
	const delay = time.Minute
	for name, c := range map[string]struct {
		sentAgo time.Duration
		size    uint64 // of the log when it is looked for last
		canary  func(c *canaries)
		want    bool
	}{
		"all hold":          {delay, 200, func(*canaries) {}, true},
		"too early":         {delay - 10*time.Second, 200, func(*canaries) {}, false},
		"no later one":      {delay, 150, func(*canaries) {}, false},
		"no canary":         {delay, 200, func(c *canaries) { c.list = nil }, false},
		"canary sent early": {delay, 200, func(c *canaries) { c.list[0].sentAt = time.Now().Add(-time.Hour) }, false},
	} {
		for kind, byHash := range map[string]bool{"with tiles": false, "by hash": true} {
			t.Run(name+" "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					size := uint64(100)
					store := &doubtStore{doubts: []gateway.Doubt{{
						Entry: gateway.Entry{ID: 1, Fence: 3, SentAtTreeSize: &size, LastSentAt: time.Now()}, SentAgo: c.sentAgo,
					}}}
					log := &scriptedLog{size: 100, delay: delay, byHash: byHash, find: func(_, to uint64) (gateway.Found, error) { return gateway.Found{AbsentTo: to}, nil }}
					w := scanWorker(log, store)
					pass := func() {
						t.Helper()
						if again, err := w.settlePage(t.Context()); again || err != nil {
							t.Fatalf("%t, %v", again, err)
						}
					}
					pass() // it is seen to be in doubt
					time.Sleep(time.Second)
					w.shards.canariesOf(currentShard).addLogged(time.Now(), 120)
					log.size = 150
					pass() // the canary is seen to be covered
					c.canary(w.shards.canariesOf(currentShard))
					log.size = c.size
					time.Sleep(time.Second) // what is asked for rests
					pass()
					last := store.settled[len(store.settled)-1]
					if last.Resend != c.want || last.Fence != 3 || last.AbsentTo != c.size {
						t.Errorf("settled %+v", store.settled)
					}
				})
			})
		}
	}
}

// TestNeverSent: what the store says was never sent is sent once it is looked for.
func TestNeverSent(t *testing.T) {
	size := uint64(100)
	store := &doubtStore{doubts: []gateway.Doubt{{Entry: gateway.Entry{ID: 1, Fence: 3, SentAtTreeSize: &size}, SentAgo: time.Hour}}}
	log := &scriptedLog{size: 150, delay: time.Minute, find: func(_, to uint64) (gateway.Found, error) { return gateway.Found{AbsentTo: to}, nil }}
	if _, err := scanWorker(log, store).settlePage(t.Context()); err != nil {
		t.Fatal(err)
	}
	if last := store.settled[len(store.settled)-1]; !last.Resend || last.AbsentTo != 150 {
		t.Errorf("settled %+v", store.settled)
	}
}

// TestSettledByAnother: what another gateway has settled meanwhile is not counted here.
func TestSettledByAnother(t *testing.T) {
	for name, fail := range map[string]error{"by this one": nil, "by another one": gateway.ErrLeaseLost} {
		size, found, absent := uint64(100), 0, 0
		store := &doubtStore{fail: fail, doubts: []gateway.Doubt{
			{Entry: gateway.Entry{ID: 1, Fence: 3, LeafHash: gateway.LeafHash{1}, SentAtTreeSize: &size}},
			{Entry: gateway.Entry{ID: 2, Fence: 3, LeafHash: gateway.LeafHash{2}, SentAtTreeSize: &size}},
		}}
		log := &scriptedLog{size: 150, delay: time.Minute, find: func(_, to uint64) (gateway.Found, error) {
			return gateway.Found{Inclusions: map[gateway.LeafHash]*gateway.Inclusion{{1}: {Kind: "k"}}, AbsentTo: to}, nil
		}}
		w := scanWorker(log, store)
		w.metrics.Settled = func(_ string, f, a int) { found, absent = found+f, absent+a }
		if _, err := w.settlePage(t.Context()); err != nil {
			t.Fatal(err)
		}
		if ours := fail == nil; found != 1 && ours || absent != 1 && ours || found+absent > 0 && !ours || len(store.settled) != 3 {
			t.Errorf("%s: %d found, %d absent of %d", name, found, absent, len(store.settled))
		}
	}
}

// TestSeenAnew: an entry that was sent again since is seen as for the first time.
func TestSeenAnew(t *testing.T) {
	s := newScanner(nil, currentShard)
	at := func(n int) time.Time { return time.Unix(1_800_000_000+int64(n), 0) }
	d := gateway.Doubt{Entry: gateway.Entry{ID: 1, Fence: 3}}
	s.meetDoubt(d, at(0))
	s.endRound()
	if got := s.meetDoubt(d, at(5)); !got.seenAt.Equal(at(0)) {
		t.Errorf("seen at %v", got.seenAt)
	}
	s.endRound()
	d.Fence++
	if got := s.meetDoubt(d, at(9)); !got.seenAt.Equal(at(9)) {
		t.Errorf("seen at %v", got.seenAt)
	}
	s.endRound()
	s.endRound()
	if len(s.seen) != 0 {
		t.Error("what is not in doubt any more is remembered")
	}
}

// TestPages: however many are in doubt, all are met in a round.
func TestPages(t *testing.T) {
	size := uint64(100)
	store := &doubtStore{}
	for id := range int64(2*settleLimit + 3) {
		store.doubts = append(store.doubts, gateway.Doubt{Entry: gateway.Entry{ID: id + 1, SentAtTreeSize: &size, LastSentAt: time.Now()}})
	}
	log := &scriptedLog{size: 100, delay: time.Hour, find: func(_, to uint64) (gateway.Found, error) { return gateway.Found{AbsentTo: to}, nil }}
	w := scanWorker(log, store)
	for i, want := range []bool{true, true, false} {
		if again, err := w.settlePage(t.Context()); again != want || err != nil {
			t.Errorf("page %d: %t, %v", i, again, err)
		}
	}
	if len(w.seen) != len(store.doubts) || w.after != 0 {
		t.Errorf("%d met, round at %d", len(w.seen), w.after)
	}
}

// TestProbeBesideTraffic: what is sent and never becomes a canary, since the log refuses it or has it already, does not put off
// a probe for ever. While canaries are logged there is none.
func TestProbeBesideTraffic(t *testing.T) {
	for name, logged := range map[string]bool{"nothing new is logged": false, "new ones are logged": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				size, probes := uint64(100), 0
				store := &doubtStore{doubts: []gateway.Doubt{{
					Entry: gateway.Entry{ID: 1, Fence: 3, SentAtTreeSize: &size, LastSentAt: time.Now()}, SentAgo: time.Hour,
				}}}
				log := &scriptedLog{size: size, find: func(_, to uint64) (gateway.Found, error) { return gateway.Found{AbsentTo: to}, nil }}
				s := scanWorker(log, store)
				s.probe = func(context.Context, gateway.Log) (gateway.Prepared, error) {
					probes++
					return gateway.Prepared{}, errors.New("none here")
				}
				for range 10 * 60 {
					canaries := s.shards.canariesOf(currentShard)
					canaries.noteSent(time.Now())
					if logged {
						canaries.addLogged(time.Now(), 1000) // not covered yet
					}
					if _, err := s.settlePage(t.Context()); err != nil {
						t.Fatal(err)
					}
					s.probes.Wait()
					time.Sleep(time.Second)
				}
				if (probes > 0) == logged {
					t.Errorf("%d probes in ten minutes", probes)
				}
			})
		})
	}
}

// TestUnreadableBundle: an entry whose search meets a bundle that cannot be read does not hold up those that are looked for
// beyond it.
func TestUnreadableBundle(t *testing.T) {
	const size, bad, at = 5 * scanWindow, 300, 10_500
	broken := fmt.Errorf("bundle: %w", gateway.ErrBadAnswer)
	log := &scriptedLog{size: size, find: func(from, to uint64) (gateway.Found, error) {
		switch {
		case from <= bad && bad < to:
			return gateway.Found{AbsentTo: from / bundleWidth * bundleWidth}, broken
		case from <= at && at < to:
			return gateway.Found{AbsentTo: to, Inclusions: map[gateway.LeafHash]*gateway.Inclusion{{3}: {Kind: "k"}}}, nil
		}
		return gateway.Found{AbsentTo: to}, nil
	}}
	w := scanWorker(log, &doubtStore{})
	var counts settleCounts
	before, same, beyond, last := doubtAt(1, 256), doubtAt(2, 310), doubtAt(3, 10_000), doubtAt(4, size-1)
	err := w.searchDoubts(t.Context(), currentShard, []*doubt{before, same, beyond, last}, size, 9, &counts)
	if !errors.Is(err, broken) || !beyond.settled || last.absentTo != size || before.absentTo != 256 || same.absentTo != 310 {
		t.Errorf("%v; found beyond it %t, the last one absent to %d, the others to %d and %d", err, beyond.settled, last.absentTo, before.absentTo, same.absentTo)
	}
}
