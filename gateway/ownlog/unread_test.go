// SPDX-License-Identifier: Apache-2.0

package ownlog_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/ownlog"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

// broken is a log that cannot be read.
type broken struct{ error }

// EachEntry implements gateway.EntryReader.
func (b broken) EachEntry(context.Context, gateway.Shard, uint64, func(uint64, []byte) error) error {
	return b.error
}

// shardOf is the only one of a log.
func shardOf(log string, entries gateway.EntryReader, keys ...ownlog.AnchorKey) ownlog.AnchorShard {
	return ownlog.AnchorShard{Log: log, Shard: gateway.Shard{Origin: log + ".test"}, Entries: entries, Keys: keys}
}

// listShards is Config.AnchorShards with always the same.
func listShards(all ...ownlog.AnchorShard) func() ([]ownlog.AnchorShard, error) {
	return func() ([]ownlog.AnchorShard, error) { return all, nil }
}

// among has anchors recorded in logs with these IDs, of which need have to have one.
func among(need int, ids ...string) func(*ownlog.Config) {
	return func(cfg *ownlog.Config) {
		set := ownlog.LogSet{Need: need}
		for _, id := range ids {
			log := gatewaytest.NewLog()
			log.Name = id
			set.List = append(set.List, log)
		}
		cfg.Anchors = func() ownlog.LogSet { return set }
	}
}

// startState returns what an own log does once it has looked through the logs.
func startState(t *testing.T, store gateway.Store, folder string, shards func() ([]ownlog.AnchorShard, error), options ...func(*ownlog.Config)) string {
	t.Helper()
	r := join(t, store, folder, gatewaytest.NewLog(), time.Hour, shards, options...)
	stop := r.run(t)
	defer stop()
	await(t, "it has looked", func() bool { return r.own.State() != ownlog.StateLooks })
	return r.own.State()
}

// oneAnchor makes an own log with an anchor in the log fake, which had to have it.
func oneAnchor(t *testing.T) (folder string, store *sqlite.Store) {
	t.Helper()
	folder = t.TempDir()
	store = openStore(t, filepath.Join(folder, "db"))
	r := join(t, store, folder, gatewaytest.NewLog(), 50*time.Millisecond, noShards)
	stop := r.run(t)
	r.logAll(t, "first", 2)
	stop()
	return folder, store
}

// TestLateUnread: logs that cannot be read hold the own log up only where an anchor that counted may be in them alone.
func TestLateUnread(t *testing.T) {
	t.Parallel()
	folder, store := oneAnchor(t)
	log := newLateLog()
	log.addForeign(t, folder)
	gone, forked, wrong := broken{gateway.ErrUnavailable}, broken{gateway.ErrFork}, broken{gateway.ErrBadAnswer}
	good, foreign := entries(nil), entries(log.bodies)
	for name, c := range map[string]struct {
		set    func(*ownlog.Config)
		shards []ownlog.AnchorShard
		want   string
	}{
		"the only one":                          {among(1, "a"), []ownlog.AnchorShard{shardOf("a", gone)}, ownlog.StateWaits},
		"one of two that each may have it":      {among(1, "a", "b"), []ownlog.AnchorShard{shardOf("a", good), shardOf("b", gone)}, ownlog.StateWaits},
		"one of two that both have it":          {among(2, "a", "b"), []ownlog.AnchorShard{shardOf("a", gone), shardOf("b", good)}, ownlog.StateWorks},
		"one that is forked":                    {among(2, "a", "b"), []ownlog.AnchorShard{shardOf("a", forked), shardOf("b", good)}, ownlog.StateWorks},
		"one that lies":                         {among(2, "a", "b"), []ownlog.AnchorShard{shardOf("a", good), shardOf("b", wrong)}, ownlog.StateWorks},
		"both":                                  {among(2, "a", "b"), []ownlog.AnchorShard{shardOf("a", gone), shardOf("b", forked)}, ownlog.StateWaits},
		"one of three, of which two have it":    {among(2, "a", "b", "c"), []ownlog.AnchorShard{shardOf("a", gone), shardOf("b", good), shardOf("c", good)}, ownlog.StateWorks},
		"two of three, of which two have it":    {among(2, "a", "b", "c"), []ownlog.AnchorShard{shardOf("a", gone), shardOf("b", good), shardOf("c", gone)}, ownlog.StateWaits},
		"another one has what is forgotten":     {among(2, "a", "b"), []ownlog.AnchorShard{shardOf("a", gone), shardOf("b", foreign)}, ownlog.StateRefuses},
		"one of those that are not used now":    {among(1, "a"), []ownlog.AnchorShard{shardOf("a", good), shardOf("former", gone)}, ownlog.StateWorks},
		"the one that had to have the last one": {among(2, "a", "b"), []ownlog.AnchorShard{shardOf("a", good), shardOf("b", good), shardOf("fake", gone)}, ownlog.StateWaits},
	} {
		t.Run(name, func(t *testing.T) {
			if got := startState(t, store, folder, listShards(c.shards...), c.set); got != c.want {
				t.Errorf("it %s, want %s", got, c.want)
			}
		})
	}
}

// brokenAfter is a log that can be read as far as it is given, and no further.
type brokenAfter struct {
	entries
	reads *atomic.Int64
}

// EachEntry implements gateway.EntryReader.
func (b brokenAfter) EachEntry(ctx context.Context, s gateway.Shard, from uint64, f func(uint64, []byte) error) error {
	b.reads.Add(1)
	if err := b.entries.EachEntry(ctx, s, from, f); err != nil {
		return err
	}
	return gateway.ErrUnavailable
}

// TestLateUnreadThirdSet: what is forgotten may have been made under a set of logs which is neither that of the newest anchor in the store nor the one
// of now: a log that was never looked through, and where the store may be an older copy any, has to be read.
func TestLateUnreadThirdSet(t *testing.T) {
	t.Parallel()
	folder, store := oneAnchor(t) // in fake
	key := ownlog.AnchorKey{SPKI: []byte("another key")}
	shards := func(third gateway.EntryReader) func() ([]ownlog.AnchorShard, error) {
		return listShards(shardOf("fake", entries(nil)), shardOf("third", third, key), shardOf("c", entries(nil)))
	}
	now, gone := among(1, "c"), shards(broken{gateway.ErrUnavailable})
	want := func(what, want string, shards func() ([]ownlog.AnchorShard, error), store gateway.Store, options ...func(*ownlog.Config)) {
		t.Helper()
		if got := startState(t, store, folder, shards, options...); got != want {
			t.Errorf("%s: it %s, want %s", what, got, want)
		}
	}
	want("never looked through", ownlog.StateWaits, gone, store, now)
	forgotten := newLateLog()
	forgotten.addForeign(t, folder)
	want("read, with what is forgotten", ownlog.StateRefuses, shards(entries(forgotten.bodies)), store, now)
	want("read", ownlog.StateWorks, shards(entries{[]byte("an entry")}), store, now)
	want("looked through before", ownlog.StateWorks, gone, store, now)
	doubted := &otherLife{Store: store}
	doubted.doubted.Store(true)
	var c clock
	var told said
	want("looked through before, by a store that may be an older copy", ownlog.StateWaits, gone, doubted, now, c.use, told.use)
	if told.count("log third") == 0 {
		t.Errorf("the log is not named:\n%s", &told.all)
	}
}

// TestLateUnreadPartly: a log of a third set that is read in part, and fails, is not looked through, however often it is tried.
func TestLateUnreadPartly(t *testing.T) {
	t.Parallel()
	folder, store := oneAnchor(t)
	third := brokenAfter{entries{[]byte("an entry")}, new(atomic.Int64)}
	shards := listShards(shardOf("fake", entries(nil)), shardOf("third", third, ownlog.AnchorKey{SPKI: []byte("another key")}))
	var c clock
	r := join(t, store, folder, gatewaytest.NewLog(), time.Hour, shards, among(1, "c"), c.use)
	r.run(t)
	for tries := int64(1); tries <= 3; tries++ {
		await(t, "it is tried", func() bool { return third.reads.Load() >= tries })
		await(t, "it has looked", func() bool { return r.own.State() != ownlog.StateLooks })
		if got := r.own.State(); got != ownlog.StateWaits {
			t.Errorf("try %d: it %s", tries, got)
		}
		c.set(time.Duration(tries)*6*time.Second, r)
	}
}

// TestLateUnreadClosed: a closed shard that was read to its end need not be there any more; one that was not closed then, or is open again, has to.
func TestLateUnreadClosed(t *testing.T) {
	t.Parallel()
	folder, store := oneAnchor(t)
	key := ownlog.AnchorKey{SPKI: []byte("another key")}
	open, closed := shardOf("fake", entries{[]byte("an entry")}, key), shardOf("fake", entries{[]byte("an entry")}, key)
	closed.Closed = true
	gone := closed
	gone.Entries = broken{gateway.ErrUnavailable}
	forgotten := newLateLog()
	forgotten.addForeign(t, folder)
	again := shardOf("fake", entries(append([][]byte{[]byte("an entry")}, forgotten.bodies...)), key)
	for i, c := range []struct {
		shard ownlog.AnchorShard
		want  string
	}{
		{open, ownlog.StateWorks}, {gone, ownlog.StateWaits}, {closed, ownlog.StateWorks}, {gone, ownlog.StateWorks}, {again, ownlog.StateRefuses},
	} {
		if got := startState(t, store, folder, listShards(c.shard)); got != c.want {
			t.Errorf("start %d: it %s, want %s", i, got, c.want)
		}
	}
}

// said is what was logged.
type said struct {
	mu  sync.Mutex // guards what follows
	all bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(b)
}

func (s *said) use(cfg *ownlog.Config) { cfg.Logger = slog.New(slog.NewTextHandler(s, nil)) }

func (s *said) count(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.all.String(), what)
}

// TestLateUnconfigured: a shard with anchors that is not configured any more is named, and holds the log up where the store says that it may be an older
// copy. One that was closed, and read to its end, is done with.
func TestLateUnconfigured(t *testing.T) {
	t.Parallel()
	folder, store := oneAnchor(t)
	key := ownlog.AnchorKey{SPKI: []byte("another key")}
	missing := ownlog.AnchorShard{Shard: gateway.Shard{Origin: "former.test"}, Keys: []ownlog.AnchorKey{key}}
	var told said
	if got := startState(t, store, folder, listShards(shardOf("fake", entries(nil)), missing), told.use); got != ownlog.StateWorks {
		t.Errorf("it %s", got)
	}
	if n := told.count("unread=former.test"); n != 1 {
		t.Errorf("it is said %d times:\n%s", n, &told.all)
	}
	doubted := &otherLife{Store: store}
	doubted.doubted.Store(true)
	var c clock
	if got := startState(t, doubted, folder, listShards(shardOf("fake", entries(nil)), missing), told.use, c.use); got != ownlog.StateWaits {
		t.Errorf("with a store that may be an older copy it %s", got)
	}
	if n := told.count("configure it again"); n != 1 {
		t.Errorf("what to do is said %d times:\n%s", n, &told.all)
	}
	ended := shardOf("former", entries(nil), key)
	ended.Closed = true
	if got := startState(t, store, folder, listShards(shardOf("fake", entries(nil)), ended)); got != ownlog.StateWorks {
		t.Errorf("it %s", got)
	}
	r := join(t, doubted, folder, gatewaytest.NewLog(), time.Hour, listShards(shardOf("fake", entries(nil)), missing), c.use)
	r.run(t)
	await(t, "it waits for what is late, and no more", func() bool { return r.own.Trouble() == gateway.TroubleLate })
}

// failingStore cannot say what it has of a log.
type failingStore struct{ gateway.Store }

var errStore = errors.New("the disk is gone")

func (s failingStore) KeepLooks(context.Context, string, []gateway.OwnLook) error { return errStore }

// TestLateStoreFails: what the store cannot do is no log's fault, however many logs there are.
func TestLateStoreFails(t *testing.T) {
	t.Parallel()
	folder, store := oneAnchor(t)
	shards := listShards(shardOf("a", entries{[]byte("an entry")}), shardOf("b", entries(nil)), shardOf("former", entries(nil)))
	if got := startState(t, failingStore{store}, folder, shards, among(3, "a", "b", "c")); got != ownlog.StateWaits {
		t.Errorf("it %s", got)
	}
}
