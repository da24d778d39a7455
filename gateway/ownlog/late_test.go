// SPDX-License-Identifier: Apache-2.0

package ownlog_test

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/attest"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/ownlog"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

// lateLog is a log that may not show yet what it was sent last.
type lateLog struct {
	*gatewaytest.Log
	mu     sync.Mutex // guards what follows
	bodies entries
	late   entries // that are not shown
	isLate bool    // what is sent
	reads  []uint64
}

func newLateLog() *lateLog { return &lateLog{Log: gatewaytest.NewLog()} }

func (l *lateLog) Add(ctx context.Context, s gateway.Shard, p gateway.Prepared) (*gateway.Inclusion, error) {
	l.mu.Lock()
	if l.late = append(l.late, p.Body); !l.isLate {
		l.bodies, l.late = append(l.bodies, l.late...), nil
	}
	l.mu.Unlock()
	return l.Log.Add(ctx, s, p)
}

// setLate has what is sent from now on shown later; or at once, with what was not shown before it.
func (l *lateLog) setLate(late bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isLate = late
}

// showLate shows all that was sent.
func (l *lateLog) showLate() {
	l.setLate(false)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bodies, l.late = append(l.bodies, l.late...), nil
}

// EachEntry implements gateway.EntryReader.
func (l *lateLog) EachEntry(ctx context.Context, s gateway.Shard, from uint64, f func(uint64, []byte) error) error {
	l.mu.Lock()
	shown := l.bodies[:len(l.bodies):len(l.bodies)]
	l.reads = append(l.reads, from)
	l.mu.Unlock()
	return shown.EachEntry(ctx, s, from, f)
}

// takeReads returns from where on the log was read since the last call.
func (l *lateLog) takeReads() []uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	reads := l.reads
	l.reads = nil
	return reads
}

// integration is the log's integration delay, and late how long after a start its anchors may be late.
const (
	integration = 100 * time.Second
	late        = gateway.SendLease + integration
)

func (l *lateLog) shards() ([]ownlog.AnchorShard, error) {
	return []ownlog.AnchorShard{{Log: "fake", Shard: l.Describe().Shard, Entries: l, Delay: integration}}, nil
}

// clock is one that tests set forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) use(cfg *ownlog.Config) {
	began := time.Now()
	cfg.Now = func() time.Time { return began.Add(time.Duration(c.ahead.Load())) }
}

// set has so much time be over since the start.
func (c *clock) set(d time.Duration, r *room) {
	c.ahead.Store(int64(d))
	r.own.Wake()
}

// history is a store that was put back to before the last anchor of its own log, which the log does not show yet.
type history struct {
	folder string
	log    *lateLog
	lost   gateway.OwnAnchor // the last anchor, which the store does not know
}

// lose makes a history: restore puts what the store was before in the place of what it is now, and returns where that is.
func lose(t *testing.T, restore func(t *testing.T, before, now string) string) (*history, *sqlite.Store) {
	t.Helper()
	h := &history{folder: t.TempDir(), log: newLateLog()}
	path := func(name string) string { return filepath.Join(h.folder, name) }
	store := openStore(t, path("db"))
	run := func(what string, n int) {
		r := join(t, store, h.folder, h.log, 50*time.Millisecond, h.log.shards)
		stop := r.run(t)
		r.logAll(t, what, n)
		stop()
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	run("first", 3)
	copyStore(t, path("db"), path("before"))
	store = openStore(t, path("db"))
	h.log.setLate(true)
	run("second", 2)
	store = openStore(t, path("db"))
	h.lost = must(store.OwnLog(t.Context(), ownID)).Anchored
	if err := store.Close(); err != nil || h.lost.Size != 5 {
		t.Fatalf("%d records are anchored, %v", h.lost.Size, err)
	}
	return h, openStore(t, restore(t, path("before"), path("db")))
}

// putBack restores a backup.
func putBack(t *testing.T, before, now string) string {
	t.Helper()
	if _, err := sqlite.Backup(t.Context(), before, now+".backup", sqlite.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Restore(t.Context(), now+".backup", now+".restored", sqlite.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	return now + ".restored"
}

// putUnnoticed writes all files over, as when a machine goes back to a snapshot: nothing says that they are older.
func putUnnoticed(t *testing.T, before, now string) string {
	t.Helper()
	copyStore(t, before, now)
	return now
}

// submit has a text accepted for the log.
func (r *room) submit(t *testing.T, what string) gateway.Submission {
	t.Helper()
	sub, err := r.Submit(t.Context(), gatewaytest.Signed(t, what), gatewaytest.NoArtifact)
	if err != nil || sub.State != gateway.Pending {
		t.Fatalf("%s, %v", sub.State, err)
	}
	return sub
}

// TestLateAnchor: after a store was put back nothing is sequenced before all that was sent by then has to be in the log, however often the
// gateway is started meanwhile; and an anchor that the store does not know stops it then, as it does at once.
func TestLateAnchor(t *testing.T) {
	t.Parallel()
	h, store := lose(t, putBack)
	before := must(store.OwnLog(t.Context(), ownID))
	var c clock
	for range 2 {
		c = clock{}
		r := join(t, store, h.folder, h.log, 50*time.Millisecond, h.log.shards, c.use)
		stop := r.run(t)
		r.submit(t, "third")
		c.set(late-time.Millisecond, r)
		await(t, "it waits", func() bool { return r.own.Trouble() == gateway.TroubleLate && r.own.State() == ownlog.StateLooks })
		if after := must(store.OwnLog(t.Context(), ownID)); after != before {
			t.Errorf("the log goes on: %+v", after)
		}
		stop()
	}
	h.log.showLate()
	r := join(t, store, h.folder, h.log, 50*time.Millisecond, h.log.shards, c.use)
	c.set(0, r)
	stop := r.run(t)
	await(t, "it refuses at once what it can see", func() bool { return r.own.State() == ownlog.StateRefuses })
	stop()
	if after := must(store.OwnLog(t.Context(), ownID)); after != before {
		t.Errorf("the log goes on: %+v", after)
	}
}

// TestLateAnchorComes: an anchor that comes into the log while it is awaited is found.
func TestLateAnchorComes(t *testing.T) {
	t.Parallel()
	h, store := lose(t, putBack)
	before := must(store.OwnLog(t.Context(), ownID))
	var c clock
	r := join(t, store, h.folder, h.log, 50*time.Millisecond, h.log.shards, c.use)
	r.run(t)
	r.submit(t, "third")
	await(t, "it waits", func() bool { return r.own.Trouble() == gateway.TroubleLate })
	h.log.showLate()
	c.set(late, r)
	await(t, "it refuses", func() bool { return r.own.Trouble() == gateway.TroubleForgotten })
	if after := must(store.OwnLog(t.Context(), ownID)); after != before {
		t.Errorf("the log goes on: %+v", after)
	}
}

// TestNothingLate: a store that was put back and has forgotten nothing goes on once that is known. Restarts after that wait for nothing.
func TestNothingLate(t *testing.T) {
	t.Parallel()
	folder, log := t.TempDir(), newLateLog()
	path := filepath.Join(folder, "db")
	store := openStore(t, path)
	r := join(t, store, folder, log, 50*time.Millisecond, log.shards)
	stop := r.run(t)
	r.logAll(t, "first", 3)
	stop()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	store = openStore(t, putBack(t, path, path))
	var c clock
	r = join(t, store, folder, log, 50*time.Millisecond, log.shards, c.use)
	stop = r.run(t)
	await(t, "it waits", func() bool { return r.own.Trouble() == gateway.TroubleLate })
	sub := r.submit(t, "second")
	c.set(late, r)
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	if err := r.Await(ctx, &sub); err != nil || sub.State != gateway.Logged || r.own.State() != ownlog.StateWorks {
		t.Errorf("%s, %v, and the log %s", sub.State, err, r.own.State())
	}
	stop()
	var still clock
	r = join(t, store, folder, log, 50*time.Millisecond, log.shards, still.use)
	r.run(t)
	r.logAll(t, "third", 3)
}

// TestLateUnnoticed: where nothing says that the store was put back, an anchor of before stands in the log before the first new one: that
// one never counts, and what it covers is never shown.
func TestLateUnnoticed(t *testing.T) {
	t.Parallel()
	h, store := lose(t, putUnnoticed)
	var c clock
	r := join(t, store, h.folder, h.log, 50*time.Millisecond, h.log.shards, c.use)
	stop := r.run(t)
	await(t, "it works", func() bool { return r.own.State() == ownlog.StateWorks })
	h.log.setLate(false)
	r.submit(t, "third 0")
	r.submit(t, "third 1")
	await(t, "it refuses", func() bool { return r.own.Trouble() == gateway.TroubleForgotten })
	if got := must(store.OwnLog(t.Context(), ownID)); got.Anchored.Size != 3 || got.Logged != 3 {
		t.Errorf("two roots of %d records are shown: %+v", h.lost.Size, got)
	}
	if got, err := r.own.ReadCheckpoint(t.Context()); err != nil || wantSize(t, got) != 3 {
		t.Errorf("the checkpoint is\n%s%v", got, err)
	}
	stop()
	endLog(t, store, h, 3)
}

// endLog has another log take over, and checks how many records the one that ends has then, all of them anchored. It returns what the operator
// was told.
func endLog(t *testing.T, store gateway.Store, h *history, records uint64) string {
	t.Helper()
	var told bytes.Buffer
	folder := t.TempDir()
	to := join(t, store, folder, h.log, 50*time.Millisecond, noShards, func(cfg *ownlog.Config) {
		cfg.ID, cfg.Signer = "own:next", must(attest.LoadCheckpointSigner(filepath.Join(folder, "next"), "gateway.test/next", true))
	})
	shards := func() ([]ownlog.AnchorShard, error) {
		all, err := h.log.shards()
		for i := range all {
			all[i].Keys = []ownlog.AnchorKey{{SPKI: must(attest.LoadAnchorSigner(filepath.Join(h.folder, "anchor"), false)).SPKI()}}
		}
		return all, err
	}
	ending := ownlog.NewEnding(ownlog.EndingConfig{
		Log: ownID, To: to.own, Store: store, AnchorShards: shards, Changed: func([]gateway.Progress) {}, Logger: slog.New(slog.NewTextHandler(&told, nil)),
	})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { ending.Run(ctx) })
	await(t, "it has ended", func() bool { return must(store.OwnLog(t.Context(), ownID)).Closed })
	stop()
	running.Wait()
	if got := must(store.OwnLog(t.Context(), ownID)); got.Anchored.Size != records || got.Logged != records {
		t.Errorf("it ends with %+v", got)
	}
	return told.String()
}

// olderStore says of an own log that the store was put back, to before its last anchor was kept.
type olderStore struct{ gateway.Store }

func (s olderStore) OwnLog(ctx context.Context, log string) (gateway.OwnLog, error) {
	l, err := s.Store.OwnLog(ctx, log)
	if !l.Closed {
		l.Doubted, l.Anchored.Size = true, 0
	}
	return l, err
}

// TestEndOfOlderCopyIsExplained: where a log ends at an earlier anchor, since its store was put back, the operator is told that it was.
func TestEndOfOlderCopyIsExplained(t *testing.T) {
	t.Parallel()
	folder, log := t.TempDir(), newLateLog()
	store := openStore(t, filepath.Join(folder, "db"))
	r := join(t, store, folder, log, 50*time.Millisecond, log.shards)
	stop := r.run(t)
	r.logAll(t, "first", 3)
	stop()
	told := endLog(t, olderStore{store}, &history{folder: folder, log: log}, 3)
	if !strings.Contains(told, "ends where the store knows it to be anchored") || !strings.Contains(told, "the store was put back, or its database was restarted") {
		t.Errorf("told: %s", told)
	}
}

// shrunkStore says, once it is told to, that an own log has a record less than it had.
type shrunkStore struct {
	gateway.Store
	shrunk atomic.Bool
}

func (s *shrunkStore) Sequence(ctx context.Context, log string, limit int, grow gateway.GrowTree) (gateway.OwnLog, int, error) {
	state, n, err := s.Store.Sequence(ctx, log, limit, grow)
	if s.shrunk.Load() && err == nil {
		state.Tree.Size--
	}
	return state, n, err
}

// TestStoreGoesBack: a store that goes back while the log is at work is noticed at once, although nothing else tells of it.
func TestStoreGoesBack(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store := &shrunkStore{Store: openStore(t, filepath.Join(folder, "db"))}
	r := join(t, store, folder, gatewaytest.NewLog(), 50*time.Millisecond, noShards)
	r.run(t)
	r.logAll(t, "first", 3)
	store.shrunk.Store(true)
	r.own.Wake()
	await(t, "it refuses", func() bool { return r.own.Trouble() == gateway.TroubleForgotten })
}

// TestLaterLook: an anchor that comes into the log even later than new ones, but within the time, stops the log too.
func TestLaterLook(t *testing.T) {
	t.Parallel()
	folder, log := t.TempDir(), newLateLog()
	store := openStore(t, filepath.Join(folder, "db"))
	var c clock
	r := join(t, store, folder, log, 50*time.Millisecond, log.shards, c.use)
	r.run(t)
	r.logAll(t, "first", 3)
	r.logAll(t, "second", 3)
	log.addForeign(t, folder)
	log.takeReads()
	c.set(late-time.Millisecond, r)
	r.logAll(t, "third", 3)
	if reads := log.takeReads(); len(reads) != 0 {
		t.Errorf("the log is read for each anchor: %v", reads)
	}
	c.set(late, r)
	await(t, "it refuses", func() bool { return r.own.Trouble() == gateway.TroubleForgotten })
}

// TestLookedThrough: a log is read on from where it was looked through, across restarts; and what is foreign is found wherever it stands, also
// before anchors that are known.
func TestLookedThrough(t *testing.T) {
	t.Parallel()
	folder, log := t.TempDir(), newLateLog()
	store := openStore(t, filepath.Join(folder, "db"))
	start := func(what string) {
		t.Helper()
		r := join(t, store, folder, log, 50*time.Millisecond, log.shards)
		stop := r.run(t)
		r.logAll(t, what, 2)
		stop()
	}
	start("first")
	for _, what := range []string{"second", "third"} {
		end := uint64(len(log.bodies))
		log.takeReads()
		start(what)
		reads := log.takeReads()
		if len(reads) < 2 || reads[0] == 0 || reads[0] > end {
			t.Errorf("%s: the log of %d entries was read from %v on", what, end, reads)
		}
	}
	log.addForeign(t, folder)
	known := must(store.Archived(t.Context(), gateway.AnchorTenant(ownID), must(store.OwnLog(t.Context(), ownID)).Anchored.Submission))
	log.bodies = append(log.bodies, known.Entries[0].Body) // again
	for range 2 {
		r := join(t, store, folder, log, 50*time.Millisecond, log.shards)
		stop := r.run(t)
		await(t, "it refuses", func() bool { return r.own.Trouble() == gateway.TroubleForgotten })
		stop()
	}
}

// TestLookedThroughByKey: a log is read again for a key that it was not looked through for, or that counts from an earlier index on.
func TestLookedThroughByKey(t *testing.T) {
	t.Parallel()
	folder, log := t.TempDir(), newLateLog()
	store := openStore(t, filepath.Join(folder, "db"))
	stranger := ownlog.AnchorKey{SPKI: log.addForeign(t, t.TempDir()), From: 1}
	log.addForeign(t, t.TempDir()) // by a key that is not looked for
	for _, c := range []struct {
		keys []ownlog.AnchorKey
		want string
	}{{nil, ""}, {[]ownlog.AnchorKey{stranger}, ""}, {[]ownlog.AnchorKey{{SPKI: stranger.SPKI}}, gateway.TroubleForgotten}} {
		shards := func() ([]ownlog.AnchorShard, error) {
			all, err := log.shards()
			all[0].Keys = c.keys
			return all, err
		}
		r := join(t, store, folder, log, 50*time.Millisecond, shards)
		stop := r.run(t)
		await(t, "it has looked", func() bool { return r.own.State() != ownlog.StateLooks })
		if got := r.own.Trouble(); got != c.want {
			t.Errorf("by %d keys it is %q, want %q", len(c.keys), got, c.want)
		}
		stop()
	}
}

// otherLife is a store whose engine went on in another life, as when a standby takes over.
type otherLife struct {
	gateway.Store
	doubted atomic.Bool
}

func (s *otherLife) Sequence(ctx context.Context, log string, limit int, grow gateway.GrowTree) (gateway.OwnLog, int, error) {
	if s.doubted.Load() {
		return gateway.OwnLog{}, 0, gateway.ErrDoubtFirst
	}
	return s.Store.Sequence(ctx, log, limit, grow)
}

func (s *otherLife) OwnLog(ctx context.Context, log string) (gateway.OwnLog, error) {
	l, err := s.Store.OwnLog(ctx, log)
	l.Doubted = s.doubted.Load()
	return l, err
}

func (s *otherLife) DoubtPending(ctx context.Context, log string, shard gateway.Shard) (int, error) {
	if log == ownID {
		s.doubted.Store(false)
	}
	return s.Store.DoubtPending(ctx, log, shard)
}

// TestLateReplicas: when the database goes on elsewhere while gateways run, each waits, and when one has seen that nothing is forgotten, the
// others go on with it.
func TestLateReplicas(t *testing.T) {
	t.Parallel()
	folder, log := t.TempDir(), newLateLog()
	store := &otherLife{Store: openStore(t, filepath.Join(folder, "db"))}
	var clocks [2]clock
	var rooms []*room
	for i := range clocks {
		r := join(t, store, folder, log, 50*time.Millisecond, log.shards, clocks[i].use)
		r.run(t)
		r.logAll(t, "first", i+1)
		rooms = append(rooms, r)
	}
	before := must(store.OwnLog(t.Context(), ownID)).Tree
	store.doubted.Store(true)
	for _, r := range rooms {
		r.own.Wake()
		await(t, "it waits", func() bool { return r.own.Trouble() == gateway.TroubleLate })
	}
	sub := rooms[0].submit(t, "second")
	clocks[0].set(late-time.Millisecond, rooms[0])
	time.Sleep(time.Second) // in which it would be sequenced
	if got := must(store.OwnLog(t.Context(), ownID)); !got.Doubted || got.Tree != before {
		t.Errorf("the log goes on too early: %+v", got)
	}
	clocks[0].set(late, rooms[0])
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	if err := rooms[0].Await(ctx, &sub); err != nil || sub.State != gateway.Logged {
		t.Errorf("%s, %v", sub.State, err)
	}
	rooms[1].own.Wake()
	await(t, "the other goes on", func() bool { return rooms[1].own.State() == ownlog.StateWorks })
}
