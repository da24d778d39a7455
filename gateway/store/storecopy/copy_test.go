// SPDX-License-Identifier: Apache-2.0

package storecopy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Main(m)) }

var shard = gateway.Shard{Origin: "log.example/2026", KeyID: [32]byte{1}}

// fillStore makes a store with something of everything: logged, pending, in doubt, waiting and failed entries, a
// checkpoint, a fork, a retired log, an own log, and a lease.
func fillStore(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "store.db")
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	must(t, err)
	var subs []gateway.NewSubmission
	for i := range 40 {
		sub := storetest.NewSubmission(fmt.Sprintf("tenant %d", i%3), fmt.Sprint(i), "log-a", fmt.Sprint(i), "shared")
		sub.Entries = append(sub.Entries, storetest.NewSubmission("x", fmt.Sprint(i), "log-b").Entries...)
		sub.Takeover, sub.Priority = []string{"log-a", "log-b"}, gateway.Priority(-(i % 2))
		sub.Quotas = []gateway.Quota{{Subject: fmt.Sprint("caller ", i%2), Submissions: 99, Pending: 99 * (i % 2)}}
		sub.Audit = &gateway.AuditOrigin{Caller: "a", Address: "192.0.2.1:9", RequestID: fmt.Sprint(i)}
		subs = append(subs, sub)
	}
	subs = append(subs, storetest.NewSubmission("gone", "gone", "old-log"))
	subs[39].Entries[2].Blob = spool(t, s, "waits for log-b")
	spool(t, s, "left by a crash")
	_, err = s.Enqueue(t.Context(), subs)
	must(t, err)
	must(t, s.AddMirror(t.Context(), "log-a"))
	claimed, err := s.Claim(t.Context(), gateway.ClaimParams{Log: "log-a", Lease: time.Minute, Limit: 30, InFlight: 100, Shard: shard, TreeSize: 7})
	must(t, err)
	var outcomes []gateway.Outcome
	for i, c := range claimed[:20] {
		o := gateway.Outcome{EntryID: c.ID, Fence: c.Fence}
		switch i % 4 {
		case 0, 1:
			o.Inclusion, o.Tokens = storetest.NewInclusion(c.ID), [][]byte{{1, 2}}
		case 2:
			o.Retry, o.RetryIn, o.InDoubt, o.Problem = true, time.Hour, i%8 == 2, "OVERLOADED"
		case 3:
			o.Fail, o.Problem = true, "REFUSED"
		}
		outcomes = append(outcomes, o)
	}
	_, err = s.Finish(t.Context(), outcomes)
	must(t, err)
	_, err = s.Retire(t.Context(), gateway.RetireParams{Log: "old-log", Limit: 10})
	must(t, err)
	_, err = s.KeepCheckpoint(t.Context(), shard, nil, gateway.Checkpoint{Size: 9, Root: [32]byte{2}, Envelope: []byte("note")})
	must(t, err)
	fillOwn(t, s)
	must(t, s.KeepFork(t.Context(), gateway.Fork{
		Shard: shard, Small: gateway.Checkpoint{Size: 3, Envelope: []byte("a")}, Large: gateway.Checkpoint{Size: 4, Root: [32]byte{9}, Envelope: []byte("b")},
		PrefixRoot: [32]byte{7}, Consistency: [][]byte{make([]byte, 32)},
	}))
	must(t, s.Close())
	return path
}

// spool spools an artifact of several parts.
func spool(t *testing.T, s gateway.Store, text string) *gateway.Blob {
	t.Helper()
	w, err := gateway.NewBlobWriter(t.Context(), s, 1<<30)
	must(t, err)
	_, err = w.Write([]byte(strings.Repeat(text, 1+gateway.BlobPart/len(text))))
	must(t, err)
	b, err := w.Finish()
	must(t, err)
	return &b
}

// fillOwn makes an own log with records that are logged, anchored, neither, and queued.
func fillOwn(t *testing.T, s gateway.Store) {
	t.Helper()
	must(t, s.AddOwnLog(t.Context(), "own-log", "own.example"))
	var subs []gateway.NewSubmission
	for i := range 9 {
		subs = append(subs, storetest.NewSubmission("own", fmt.Sprint("own ", i), "own-log"))
	}
	_, err := s.Enqueue(t.Context(), subs)
	must(t, err)
	for size := range 3 {
		l, n, err := s.Sequence(t.Context(), "own-log", 2, storetest.GrowTree)
		if err != nil || n != 2 {
			t.Fatalf("%d sequenced, %v", n, err)
		}
		if size < 2 {
			must(t, s.KeepAnchor(t.Context(), "own-log", gateway.OwnAnchor{Tree: l.Tree, Submission: "the anchor"}))
			for _, witness := range []string{"b", "a"} {
				must(t, s.KeepCosignature(t.Context(), "own-log", l.Tree.Size, gateway.Cosignature{Witness: witness, Time: time.Unix(1_800_000_000, 0), Line: "line"}))
			}
		}
	}
	_, err = s.LogAnchored(t.Context(), "own-log", 3)
	must(t, err)
	must(t, s.KeepContradiction(t.Context(), "own-log", gateway.Contradiction{Witness: "a", Size: 9, Lasted: time.Hour}))
	must(t, s.KeepLooks(t.Context(), "own-log", []gateway.OwnLook{{Shard: shard, Key: [32]byte{7}, From: 3, To: 9}, {Shard: shard, Key: [32]byte{8}, To: 9}}))
}

// wantOwn checks that the own log of fillOwn is there, and goes on.
func wantOwn(t *testing.T, dsn string) {
	t.Helper()
	s, err := postgres.Open(t.Context(), dsn, postgres.Options{})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	if _, _, err := s.Sequence(t.Context(), "own-log", 9, storetest.GrowTree); !errors.Is(err, gateway.ErrDoubtFirst) {
		t.Errorf("what was copied may be older than what is anchored; it goes on all the same: %v", err)
	}
	_, err = s.DoubtPending(t.Context(), "own-log", gateway.Shard{})
	must(t, err)
	l, n, err := s.Sequence(t.Context(), "own-log", 9, storetest.GrowTree)
	if err != nil || n != 3 || l.Tree.Size != 9 || l.Logged != 3 || l.Anchored.Size != 4 || l.Origin != "own.example" {
		t.Errorf("the own log is %+v with %d more, %v", l, n, err)
	}
	if changed, err := s.LogAnchored(t.Context(), "own-log", 9); err != nil || len(changed) != 1 {
		t.Errorf("logged are %+v, %v", changed, err)
	}
	if all, err := s.Cosignatures(t.Context(), "own-log", 4); err != nil || len(all) != 2 || all[0] != (gateway.Cosignature{Witness: "a", Time: time.Unix(1_800_000_000, 0).UTC(), Line: "line"}) {
		t.Errorf("cosignatures are %+v, %v", all, err)
	}
	if all, err := s.Contradictions(t.Context(), "own-log"); err != nil || len(all) != 1 || all[0] != (gateway.Contradiction{Witness: "a", Size: 9, Lasted: time.Hour}) {
		t.Errorf("contradictions are %+v, %v", all, err)
	}
	if all, err := s.Looks(t.Context(), "own-log"); err != nil || len(all) != 2 || all[0] != (gateway.OwnLook{Shard: shard, Key: [32]byte{7}, From: 3, To: 9}) {
		t.Errorf("looks are %+v, %v", all, err)
	}
	if bodies, err := s.OwnRecords(t.Context(), "own-log", 0, 99); err != nil || len(bodies) != 9 {
		t.Errorf("%d records, %v", len(bodies), err)
	}
}

// TestCopyResumed interrupts a copy at each batch, and goes on.
func TestCopyResumed(t *testing.T) {
	path, dsn := fillStore(t), postgrestest.Shared(t).NewDatabase(t, "")
	interrupted := 0
	for {
		ctx, cancel := context.WithCancel(t.Context())
		batches := 0
		result, err := Copy(ctx, Params{From: path, To: dsn, batch: 7, Progress: func(doing, _ string, _ int64) {
			if batches++; doing == "copying" && batches == 3 {
				cancel()
			}
		}})
		cancel()
		if err == nil {
			if result.Rows["submission"] != 50 || result.Rows["entry"] != 91 || result.Rows["own_record"] != 6 || result.Rows["own_queue"] != 3 || result.Rows["own_anchor"] != 2 || result.Rows["own_cosignature"] != 4 || result.Rows["own_contradiction"] != 1 || result.Rows["own_look"] != 2 || result.Rows["mirror"] != 1 || result.Rows["mirror_due"] != 10 || result.Rows["fork"] != 1 || result.Rows["quota_use"] != 6 || result.Rows["audit"] != 40 ||
				result.Rows["blob"] != 2 || result.Rows["blob_part"] != 4 || result.Rows["blob_use"] != 1 {
				t.Errorf("copied %v", result.Rows)
			}
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		interrupted++
		if _, err := postgres.Open(t.Context(), dsn, postgres.Options{}); !errors.Is(err, postgres.ErrUnfinishedCopy) {
			t.Fatalf("a gateway opened a part of a copy: %v", err)
		}
	}
	if interrupted < 5 {
		t.Errorf("interrupted %d times", interrupted)
	}
	if _, err := sqlite.Open(t.Context(), path, sqlite.Options{}); !errors.Is(err, sqlite.ErrMoved) {
		t.Errorf("the original was opened: %v", err)
	}
	wantOwn(t, dsn)
	if again, err := Copy(t.Context(), Params{From: path, To: dsn}); err != nil || !again.Before {
		t.Errorf("copied again: %+v, %v", again, err)
	}
	if _, err := Copy(t.Context(), Params{From: fillStore(t), To: dsn}); !errors.Is(err, postgres.ErrNotEmpty) {
		t.Errorf("another one copied over it: %v", err)
	}
}

// TestCopyBesideGateway: nothing is copied into what a gateway has opened, although that has kept nothing yet.
func TestCopyBesideGateway(t *testing.T) {
	path, dsn := fillStore(t), postgrestest.Shared(t).NewDatabase(t, "")
	s, err := postgres.Open(t.Context(), dsn, postgres.Options{})
	must(t, err)
	defer s.Close()
	_, err = s.RenewReplica(t.Context(), gateway.Renewal{Replica: gateway.Replica{ID: "running"}})
	must(t, err)
	if _, err := Copy(t.Context(), Params{From: path, To: dsn}); !errors.Is(err, postgres.ErrInUse) {
		t.Errorf("copied beside a gateway: %v", err)
	}
	must(t, s.LeaveReplica(t.Context(), "running"))
	late := false
	_, err = Copy(t.Context(), Params{From: path, To: dsn, Progress: func(string, string, int64) {
		if !late {
			late = true
			_, err := s.RenewReplica(t.Context(), gateway.Renewal{Replica: gateway.Replica{ID: "late"}})
			must(t, err)
		}
	}})
	if !errors.Is(err, postgres.ErrInUse) {
		t.Errorf("finished beside a gateway: %v", err)
	}
	must(t, s.LeaveReplica(t.Context(), "late"))
	if _, err := Copy(t.Context(), Params{From: path, To: dsn}); err != nil {
		t.Errorf("once the gateway has left: %v", err)
	}
}

// TestCopyMarksFirst: while the tables are made for a copy no gateway opens them, and what is there already is not marked.
func TestCopyMarksFirst(t *testing.T) {
	path, dsn := fillStore(t), postgrestest.Shared(t).NewDatabase(t, "")
	ctx, interrupt := context.WithCancel(t.Context())
	making := slog.New(handlerFunc(func(slog.Record) { interrupt() })) // says that tables were made, and no copy is begun in them
	if _, err := Copy(ctx, Params{From: path, To: dsn, Logger: making}); !errors.Is(err, context.Canceled) {
		t.Fatalf("not interrupted: %v", err)
	}
	if _, err := postgres.Open(t.Context(), dsn, postgres.Options{}); !errors.Is(err, postgres.ErrUnfinishedCopy) {
		t.Errorf("a gateway opened tables that were made for a copy: %v", err)
	}
	if _, err := Copy(t.Context(), Params{From: path, To: dsn}); err != nil {
		t.Fatal(err)
	}
	if _, err := Copy(t.Context(), Params{From: fillStore(t), To: dsn}); !errors.Is(err, postgres.ErrNotEmpty) {
		t.Errorf("copied over a store: %v", err)
	}
	s, err := postgres.Open(t.Context(), dsn, postgres.Options{})
	must(t, err)
	must(t, s.Close())
}

// handlerFunc is a slog.Handler that takes all.
type handlerFunc func(slog.Record)

func (handlerFunc) Enabled(context.Context, slog.Level) bool { return true }

func (f handlerFunc) Handle(_ context.Context, r slog.Record) error {
	f(r)
	return nil
}

func (f handlerFunc) WithAttrs([]slog.Attr) slog.Handler { return f }

func (f handlerFunc) WithGroup(string) slog.Handler { return f }

// TestCopyRefused: nothing is copied over another store, from one in use, or from one that has gone on since.
func TestCopyRefused(t *testing.T) {
	path, dsn := fillStore(t), postgrestest.Shared(t).NewDatabase(t, "")
	used, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	must(t, err)
	if _, err := Copy(t.Context(), Params{From: path, To: dsn}); !errors.Is(err, sqlite.ErrInUse) {
		t.Errorf("copied while in use: %v", err)
	}
	must(t, used.Close())
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Copy(ctx, Params{From: path, To: dsn, batch: 7, Progress: func(string, string, int64) { cancel() }}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	again, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	must(t, err)
	must(t, again.Close())
	if _, err := Copy(t.Context(), Params{From: path, To: dsn}); !errors.Is(err, postgres.ErrNotEmpty) {
		t.Errorf("went on with a store that has changed: %v", err)
	}
}

// TestCopyCompared changes a row of the copy before it is compared.
func TestCopyCompared(t *testing.T) {
	for _, change := range []string{
		`UPDATE entry SET fence = fence + 1 WHERE id = (SELECT MIN(id) FROM entry)`,
		`UPDATE entry_blob SET body = body || 'x'::bytea WHERE entry = (SELECT MAX(id) FROM entry)`,
		`DELETE FROM submission_entry WHERE submission = 41`,
		`INSERT INTO tenant (id, name) OVERRIDING SYSTEM VALUE VALUES (99, 'more')`,
		`UPDATE own_tile SET hashes = substr(hashes, 1, 32)`,
		`UPDATE own_log SET logged = 0`,
		`UPDATE own_look SET next = 10 WHERE key < '\\x08'`,
		`UPDATE own_contradiction SET lasted = 1`,
		`UPDATE blob_part SET data = overlay(data PLACING 'x'::bytea FROM 9) WHERE part = 1`,
		`DELETE FROM mirror_due WHERE entry = (SELECT MIN(entry) FROM mirror_due)`,
		`UPDATE own_cosignature SET line = 'another' WHERE size = 4 AND witness = 'b'`,
	} {
		path, dsn := fillStore(t), postgrestest.Shared(t).NewDatabase(t, "")
		changed := false
		_, err := Copy(t.Context(), Params{From: path, To: dsn, Progress: func(_, table string, _ int64) {
			if table != "submission_signer" || changed { // the last one that is copied
				return
			}
			changed = true
			pool, err := pgxpool.New(t.Context(), dsn+"&search_path=rekor_gateway")
			must(t, err)
			defer pool.Close()
			_, err = pool.Exec(t.Context(), change)
			must(t, err)
		}})
		if !errors.Is(err, ErrDifferent) {
			t.Errorf("%s: %v", change, err)
		}
	}
}

// TestCopyTwiceAtOnce: of two commands, each with a copy of the files, one finishes the copy; what waits is counted once.
func TestCopyTwiceAtOnce(t *testing.T) {
	path, dsn := fillStore(t), postgrestest.Shared(t).NewDatabase(t, "")
	twin := filepath.Join(t.TempDir(), "store.db")
	must(t, os.CopyFS(filepath.Dir(twin), os.DirFS(filepath.Dir(path))))
	var first error
	begun := false
	_, err := Copy(t.Context(), Params{From: twin, To: dsn, Progress: func(doing, table string, _ int64) {
		if doing == "comparing" && table == "submission_signer" && !begun { // the last one
			begun = true
			_, first = Copy(t.Context(), Params{From: path, To: dsn})
		}
	}})
	must(t, first)
	if err == nil {
		t.Error("both finished the copy")
	}
	s, err := postgres.Open(t.Context(), dsn, postgres.Options{})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	stats, err := s.Stats(t.Context())
	must(t, err)
	logs, err := s.ListLogs(t.Context())
	must(t, err)
	for _, l := range logs {
		if stats.Pending[l.Log] != l.Pending {
			t.Errorf("%s: %d entries are counted, %d are pending", l.Log, stats.Pending[l.Log], l.Pending)
		}
	}
}

// TestCopyOfLargeRows: of large rows few are held at once.
func TestCopyOfLargeRows(t *testing.T) {
	path, dsn := filepath.Join(t.TempDir(), "store.db"), postgrestest.Shared(t).NewDatabase(t, "")
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	must(t, err)
	var subs []gateway.NewSubmission
	for i := range 12 {
		sub := storetest.NewSubmission("tenant", fmt.Sprint(i), "log", fmt.Sprint(i))
		sub.Entries[0].Body = make([]byte, 3<<20)
		subs = append(subs, sub)
	}
	_, err = s.Enqueue(t.Context(), subs)
	must(t, err)
	must(t, s.Close())
	most, last := int64(0), int64(0)
	result, err := Copy(t.Context(), Params{From: path, To: dsn, Progress: func(_, table string, rows int64) {
		if table != "entry_blob" {
			return
		}
		if rows < last {
			last = 0
		}
		most, last = max(most, rows-last), rows
	}})
	must(t, err)
	if result.Rows["entry_blob"] != 12 || most != 3 {
		t.Errorf("%d rows, up to %d at once", result.Rows["entry_blob"], most)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
