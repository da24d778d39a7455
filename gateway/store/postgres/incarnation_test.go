// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

var testShard = gateway.Shard{Origin: "log.example", KeyID: [32]byte{1}}

func enqueue(t testing.TB, s *Store, tenant string, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := s.Enqueue(t.Context(), []gateway.NewSubmission{storetest.NewSubmission(tenant, name, "log")}); err != nil {
			t.Fatal(err)
		}
	}
}

// enqueueKept enqueues for a log of which a checkpoint is kept.
func enqueueKept(t testing.TB, s *Store, names ...string) {
	t.Helper()
	if _, err := s.KeepCheckpoint(t.Context(), testShard, nil, gateway.Checkpoint{Size: 5, Envelope: []byte("note")}); err != nil {
		t.Fatal(err)
	}
	enqueue(t, s, "tenant", names...)
}

func claim(t testing.TB, s *Store, limit int) ([]gateway.Claimed, error) {
	t.Helper()
	return s.Claim(t.Context(), gateway.ClaimParams{Log: "log", Lease: time.Minute, Limit: limit, InFlight: 1000, Shard: testShard, TreeSize: 7})
}

func mustClaim(t testing.TB, s *Store, limit, want int) []gateway.Claimed {
	t.Helper()
	claimed, err := claim(t, s, limit)
	if err != nil || len(claimed) != want {
		t.Fatalf("claimed %d, %v; want %d", len(claimed), err, want)
	}
	return claimed
}

// wantDoubtFirst checks that nothing can be claimed. Connections to the server before may break first.
func wantDoubtFirst(t testing.TB, s *Store) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		claimed, err := claim(t, s, 9)
		if errors.Is(err, gateway.ErrDoubtFirst) {
			return
		}
		if !errors.Is(err, gateway.ErrStoreUnavailable) || time.Now().After(deadline) {
			t.Fatalf("claimed %+v: %v", claimed, err)
		}
	}
}

func putInDoubt(t testing.TB, s *Store, want int) {
	t.Helper()
	if n, err := s.DoubtPending(t.Context(), "log", testShard); err != nil || n != want {
		t.Fatalf("%d put in doubt, %v; want %d", n, err, want)
	}
}

func wantLost(t testing.TB, err error) {
	t.Helper()
	if !errors.Is(err, gateway.ErrLeaseLost) {
		t.Errorf("error is %v, want %v", err, gateway.ErrLeaseLost)
	}
}

// TestServerRestarts: after a restart nothing is sent before all that was pending is put in doubt, by one of the
// gateways. Leases and fences of before are worth nothing then.
func TestServerRestarts(t *testing.T) {
	server := postgrestest.NewServer(t)
	one, two := open(t, server.DSN("postgres"), Options{}), open(t, server.DSN("postgres"), Options{})
	enqueueKept(t, one, "sent", "settled", "new")
	sent, settled := mustClaim(t, one, 1, 1)[0], mustClaim(t, two, 1, 1)[0]
	for _, e := range []gateway.Claimed{sent, settled} {
		o := gateway.Outcome{EntryID: e.ID, Fence: e.Fence, Retry: true, InDoubt: e.ID == settled.ID}
		if _, err := one.Finish(t.Context(), []gateway.Outcome{o}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(server.Kill(), server.Restart()); err != nil {
		t.Fatal(err)
	}
	wantDoubtFirst(t, one)
	wantDoubtFirst(t, two)
	if _, err := one.Move(t.Context(), gateway.MoveParams{From: "log", To: "other", Limit: 9}); !errors.Is(err, gateway.ErrDoubtFirst) {
		t.Errorf("moved: %v", err)
	}
	enqueue(t, two, "tenant", "later")
	counts := make(chan int)
	for _, s := range []*Store{one, two} { // they meet
		go func() {
			n, err := s.DoubtPending(t.Context(), "log", testShard)
			if err != nil {
				t.Error(err)
			}
			counts <- n
		}()
	}
	if n := <-counts + <-counts; n != 4 {
		t.Errorf("%d put in doubt, want 4", n)
	}
	mustClaim(t, one, 9, 0)
	mustClaim(t, two, 9, 0)
	doubts, err := two.Doubtful(t.Context(), gateway.DoubtParams{Log: "log", Shard: testShard, Limit: 9})
	if err != nil || len(doubts) != 4 {
		t.Fatalf("in doubt: %+v, %v", doubts, err)
	}
	for _, d := range doubts { // another gateway may have sent it just before
		if d.LastSentAt.IsZero() || d.SentAgo != 0 {
			t.Errorf("it was not sent, or long ago: %+v", d)
		}
	}
	_, err = one.Settle(t.Context(), []gateway.Settlement{{EntryID: settled.ID, Fence: settled.Fence, Resend: true}})
	wantLost(t, err)
	enqueue(t, one, "tenant", "last")
	mustClaim(t, two, 9, 1)
}

// TestDoubtInPages: however much is pending, all of it is put in doubt, also where several gateways do it at once.
func TestDoubtInPages(t *testing.T) {
	usual := doubtPage
	t.Cleanup(func() { doubtPage = usual })
	doubtPage = 2
	dsn := newDatabase(t)
	one, two := open(t, dsn, Options{}), open(t, dsn, Options{})
	enqueueKept(t, one, "a", "b", "c", "d", "e")
	conn := connect(t, dsn)
	for range 3 {
		if _, err := conn.Exec(t.Context(), `UPDATE log SET incarnation = 'another'`); err != nil {
			t.Fatal(err)
		}
		wantDoubtFirst(t, two)
		done := make(chan int)
		for _, s := range []*Store{one, two} {
			go func() {
				n, err := s.DoubtPending(t.Context(), "log", testShard)
				if err != nil {
					t.Error(err)
				}
				done <- n
			}()
		}
		if n := <-done + <-done; n < 5 {
			t.Errorf("%d put in doubt, want 5 or more", n)
		}
		mustClaim(t, two, 9, 0)
		doubts, err := two.Doubtful(t.Context(), gateway.DoubtParams{Log: "log", Shard: testShard, Limit: 9})
		if err != nil || len(doubts) != 5 {
			t.Fatalf("%d in doubt, %v", len(doubts), err)
		}
		var resend []gateway.Settlement
		for _, d := range doubts {
			resend = append(resend, gateway.Settlement{EntryID: d.ID, Fence: d.Fence, Resend: true})
		}
		if _, err := one.Settle(t.Context(), resend); err != nil {
			t.Fatal(err)
		}
	}
	putInDoubt(t, one, 5) // as at a start
	putInDoubt(t, two, 0)
}

// TestServerRestartsUnderLeases: what is under way ends first. The lease is its holder's still.
func TestServerRestartsUnderLeases(t *testing.T) {
	server := postgrestest.NewServer(t)
	s := open(t, server.DSN("postgres"), Options{})
	enqueueKept(t, s, "under way", "new")
	held := mustClaim(t, s, 1, 1)[0]
	if err := errors.Join(server.Stop(), server.Restart()); err != nil {
		t.Fatal(err)
	}
	wantDoubtFirst(t, s)
	putInDoubt(t, s, 0)
	wantDoubtFirst(t, s)
	if lost, err := s.Extend(t.Context(), []gateway.Lease{{EntryID: held.ID, Fence: held.Fence}}, time.Minute); err != nil || len(lost) != 0 {
		t.Errorf("extending: %v, %v", lost, err)
	}
	if _, err := s.Finish(t.Context(), []gateway.Outcome{{EntryID: held.ID, Fence: held.Fence, Inclusion: storetest.NewInclusion(8)}}); err != nil {
		t.Error(err)
	}
	putInDoubt(t, s, 1)
	mustClaim(t, s, 9, 0)
}

// TestOlderCopyTakesOver: in mid-run, the gateway's address leads to an older copy of the database, while connections to
// the one before live on. The first connection to the copy ends those, and numbers that the copy gives once more are
// taken for nobody else's.
func TestOlderCopyTakesOver(t *testing.T) {
	before, copied := postgrestest.NewServer(t), postgrestest.NewServer(t)
	s := open(t, before.DSN("postgres"), Options{})
	enqueueKept(t, s, "one", "two")
	if err := errors.Join(s.Close(), before.Stop(), copied.Stop(), copyFolder(before.Data(), copied.Data()), before.Restart(), copied.Restart()); err != nil {
		t.Fatal(err)
	}
	address, turn := forward(t, before.Port())
	var told bytes.Buffer
	s = open(t, strings.Replace(before.DSN("postgres"), before.Address(), address, 1), Options{Logger: slog.New(slog.NewTextHandler(&told, nil))})
	wantDoubtFirst(t, s)
	if !strings.Contains(told.String(), `msg="store opened" newest_kept=2`) {
		t.Errorf("of what is kept it is said: %s", told.String())
	}
	putInDoubt(t, s, 2)
	enqueue(t, s, "bob", "lost")
	lost := mustClaim(t, s, 9, 1)[0]
	listens := make(chan struct{}, 9)
	go s.Hear(t.Context(), func(told gateway.Signal) {
		if told.Missed {
			listens <- struct{}{}
		}
	})
	<-listens

	turn(copied.Port())
	connectOnceMore(t, s)
	<-listens // to the copy, though the server before lives on
	if _, err := s.Get(t.Context(), "bob", storetest.NewSubmission("bob", "lost", "log").ID); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("what the copy does not have: %v", err)
	}
	if !strings.Contains(told.String(), "submissions that were acknowledged are lost") {
		t.Errorf("of what is lost it is said: %s", told.String())
	}
	wantDoubtFirst(t, s)
	enqueue(t, s, "eve", "other")
	enqueue(t, s, "bob", "again")
	for _, tenant := range []string{"eve", "bob"} {
		if subs, _, err := s.List(t.Context(), tenant, gateway.ListParams{}); err != nil || len(subs) != 1 || subs[0].Tenant != tenant {
			t.Errorf("of %s: %+v, %v", tenant, subs, err)
		}
	}
	putInDoubt(t, s, 4)
	enqueue(t, s, "eve", "new")
	mustClaim(t, s, 9, 1)
	other, err := s.Get(t.Context(), "eve", storetest.NewSubmission("eve", "other", "log").ID)
	if err != nil || other.Entries[0].ID != lost.ID {
		t.Fatalf("the copy did not give a number once more: %+v, %v", other, err)
	}
	_, err = s.Finish(t.Context(), []gateway.Outcome{{EntryID: lost.ID, Fence: lost.Fence, Inclusion: storetest.NewInclusion(8)}})
	wantLost(t, err)
	if left, err := s.Extend(t.Context(), []gateway.Lease{{EntryID: lost.ID, Fence: lost.Fence}}, time.Minute); err != nil || len(left) != 1 {
		t.Errorf("lost leases: %v, %v", left, err)
	}
}

// TestEmptyStoreIsToldEmpty: of a database without submissions no time is told of the newest.
func TestEmptyStoreIsToldEmpty(t *testing.T) {
	var told bytes.Buffer
	open(t, "", Options{Logger: slog.New(slog.NewTextHandler(&told, nil))})
	if !strings.Contains(told.String(), `msg="store opened" newest_kept=none`) {
		t.Errorf("of an empty database it is said: %s", told.String())
	}
}

func copyFolder(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return exec.Command("cp", "-a", from, to).Run()
}

// connectOnceMore has the pool make a connection beside those that it has.
func connectOnceMore(t testing.TB, s *Store) {
	t.Helper()
	var all []*pgxpool.Conn
	for n := s.pool.Stat().TotalConns(); int32(len(all)) <= n; {
		conn, err := s.pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, conn)
	}
	for _, conn := range all {
		conn.Release()
	}
}

// forward forwards connections to a port on loopback, and to another one once turn is called; those that were made
// before stay.
func forward(t testing.TB, port int) (address string, turn func(port int)) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var target atomic.Int64
	target.Store(int64(port))
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(target.Load())})
			if err != nil {
				from.Close()
				continue
			}
			for _, pair := range [][2]net.Conn{{from, to}, {to, from}} {
				go func() {
					_, _ = io.Copy(pair[0], pair[1])
					pair[0].Close()
				}()
			}
		}
	}()
	return l.Addr().String(), func(port int) { target.Store(int64(port)) }
}

// TestPromotedStandby: another timeline is another incarnation, which the first opening says.
func TestPromotedStandby(t *testing.T) {
	server := postgrestest.NewServer(t)
	s := open(t, server.DSN("postgres"), Options{})
	enqueueKept(t, s, "one")
	first := s.Incarnation()
	if err := errors.Join(s.Close(), server.Stop(), os.WriteFile(server.Data()+"/standby.signal", nil, 0o600), server.Restart()); err != nil {
		t.Fatal(err)
	}
	if err := server.Exec(t.Context(), "postgres", `SELECT pg_promote()`); err != nil {
		t.Fatal(err)
	}
	for _, restored := range []bool{true, false} {
		s := open(t, server.DSN("postgres"), Options{})
		if i := s.Incarnation(); i.Restored != restored || i.ID == first.ID || i.Copied {
			t.Errorf("incarnation is %+v after %+v", i, first)
		}
		wantDoubtFirst(t, s)
	}
}

// TestPutBackOnTheSameServer: a copy of a database, and a table that a dump made anew, are not what they were, although the
// server is.
func TestPutBackOnTheSameServer(t *testing.T) {
	dsn := newDatabase(t)
	s := open(t, dsn, Options{})
	enqueueKept(t, s, "one")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dsn, Options{})
	mustClaim(t, s, 1, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, postgrestest.Shared(t).NewDatabase(t, postgrestest.DatabaseOf(dsn)), Options{})
	if !s.Incarnation().Restored {
		t.Error("a copy of a database is said to be what was opened last")
	}
	wantDoubtFirst(t, s)

	conn := connect(t, dsn)
	_, err := conn.Exec(t.Context(), `CREATE TABLE dumped (LIKE log INCLUDING ALL); INSERT INTO dumped OVERRIDING SYSTEM VALUE SELECT * FROM log;
DROP TABLE log; ALTER TABLE dumped RENAME TO log`)
	if err != nil {
		t.Fatal(err)
	}
	s = open(t, dsn, Options{})
	if !s.Incarnation().Restored {
		t.Error("a table that was made anew is said to be what was opened last")
	}
	wantDoubtFirst(t, s)
}

// TestPooler: a session that is not the one that was begun is not worked on.
func TestPooler(t *testing.T) {
	s := open(t, newDatabase(t), Options{})
	conn, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `RESET ALL`); err != nil {
		t.Fatal(err)
	}
	conn.Release()
	if _, err := s.ListLogs(context.WithoutCancel(t.Context())); !errors.Is(err, ErrUnsafeServer) || !errors.Is(err, gateway.ErrStoreUnavailable) {
		t.Errorf("error is %v", err)
	}
}
