// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// keepSize keeps a checkpoint of the test's shard in the place of the one that is kept. Connections to the server before may break first.
func keepSize(t testing.TB, s *Store, size uint64) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		old, err := s.Checkpoint(t.Context(), testShard)
		if err == nil {
			_, err = s.KeepCheckpoint(t.Context(), testShard, old, gateway.Checkpoint{Size: size, Envelope: []byte("note")})
		}
		if err == nil {
			return
		}
		if !errors.Is(err, gateway.ErrStoreUnavailable) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// wantSearched checks from where on what is in doubt is searched for, in its order.
func wantSearched(t testing.TB, s *Store, want ...uint64) {
	t.Helper()
	storetest.WantSearched(t, s, "log", testShard, want...)
}

// TestDoubtFrom: what a life of the database does not know to have been sent is searched for from the checkpoint on that was kept before it, although
// larger ones are kept before the doubts are stored: a gateway reads the log whenever it likes.
func TestDoubtFrom(t *testing.T) {
	server := postgrestest.NewServer(t)
	one, two := open(t, server.DSN("postgres"), Options{}), open(t, server.DSN("postgres"), Options{})
	restart := func() {
		t.Helper()
		if err := errors.Join(server.Kill(), server.Restart()); err != nil {
			t.Fatal(err)
		}
	}
	enqueueKept(t, one, "one")
	restart()
	keepSize(t, one, 90)
	keepSize(t, two, 95)
	wantDoubtFirst(t, one)
	restart() // in which nobody has put anything in doubt
	keepSize(t, two, 120)
	wantDoubtFirst(t, one)
	putInDoubt(t, one, 1)
	wantSearched(t, two, 5)

	keepSize(t, one, 150)
	enqueue(t, one, "tenant", "two")
	restart()
	keepSize(t, two, 170)
	keepSize(t, two, 180)
	wantDoubtFirst(t, one)
	putInDoubt(t, one, 2)
	wantSearched(t, one, 5, 150)
}

// TestDoubtFromForgotten: once all of the life before is in doubt, nothing is searched for from there on any more. Nor is it after an upgrade
// from a release that did not note it, where the first checkpoint that is kept seems to be the first of its life.
func TestDoubtFromForgotten(t *testing.T) {
	dsn := newDatabase(t)
	s := open(t, dsn, Options{})
	enqueueKept(t, s, "one")
	if _, err := connect(t, dsn).Exec(t.Context(), `UPDATE checkpoint SET life = NULL`); err != nil {
		t.Fatal(err)
	}
	keepSize(t, s, 90)
	putInDoubt(t, open(t, dsn, Options{}), 1)
	wantSearched(t, s, 90)
}

// TestDoubtFromSmaller: a log that was set up anew under its origin is searched from no further than it reaches.
func TestDoubtFromSmaller(t *testing.T) {
	dsn := newDatabase(t)
	s := open(t, dsn, Options{})
	enqueueKept(t, s, "one")
	if _, err := connect(t, dsn).Exec(t.Context(), `UPDATE checkpoint SET life = 'before'; UPDATE log SET incarnation = 'before'`); err != nil {
		t.Fatal(err)
	}
	keepSize(t, s, 3)
	keepSize(t, s, 40)
	putInDoubt(t, s, 1)
	wantSearched(t, s, 3)
}

// TestDoubtFromUnused: a log for which nothing was ever queued, as one that may take over, is not searched from its first checkpoint on once something is.
func TestDoubtFromUnused(t *testing.T) {
	server := postgrestest.NewServer(t)
	s := open(t, server.DSN("postgres"), Options{})
	for _, size := range []uint64{5, 90} {
		keepSize(t, s, size)
		putInDoubt(t, s, 0)
		if err := errors.Join(server.Kill(), server.Restart()); err != nil {
			t.Fatal(err)
		}
	}
	keepSize(t, s, 120)
	putInDoubt(t, s, 0)
	enqueue(t, s, "tenant", "one")
	if err := errors.Join(server.Kill(), server.Restart()); err != nil {
		t.Fatal(err)
	}
	keepSize(t, s, 150)
	wantDoubtFirst(t, s)
	putInDoubt(t, s, 1)
	wantSearched(t, s, 120)
}

// TestDoubtElsewhere: what was sent to another shard, and came back from it, may have been sent to the current one since. It is looked for there, from
// its kept checkpoint on, whatever is known of the other one.
func TestDoubtElsewhere(t *testing.T) {
	server := postgrestest.NewServer(t)
	s := open(t, server.DSN("postgres"), Options{})
	former := gateway.Shard{Origin: "former.example", KeyID: [32]byte{2}}
	enqueueKept(t, s, "came back", "in doubt")
	claimed, err := s.Claim(t.Context(), gateway.ClaimParams{Log: "log", Lease: time.Minute, Limit: 2, InFlight: 9, Shard: former, TreeSize: 700})
	if err != nil || len(claimed) != 2 {
		t.Fatal(claimed, err)
	}
	for i, inDoubt := range []bool{false, true} {
		o := gateway.Outcome{EntryID: claimed[i].ID, Fence: claimed[i].Fence, Retry: true, InDoubt: inDoubt, Problem: "UNAVAILABLE"}
		if _, err := s.Finish(t.Context(), []gateway.Outcome{o}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(server.Kill(), server.Restart()); err != nil {
		t.Fatal(err)
	}
	keepSize(t, s, 90)
	wantDoubtFirst(t, s)
	putInDoubt(t, s, 2)
	wantSearched(t, s, 5)
	counts, err := s.CountDoubtful(t.Context(), "log")
	if err != nil || counts[testShard] != 1 || counts[former] != 1 {
		t.Errorf("in doubt: %v, %v", counts, err)
	}
}

// TestSentSince: what a log refuses goes over to another one, where it may have been sent in the life before: it is looked for there first, from the checkpoint
// on that was kept in the oldest life of which something waits still. What was queued since is sent at once.
func TestSentSince(t *testing.T) {
	server := postgrestest.NewServer(t)
	s := open(t, server.DSN("postgres"), Options{})
	two := gateway.Shard{Origin: "two.example", KeyID: [32]byte{3}}
	keepTwo := func(size uint64) {
		t.Helper()
		old, err := s.Checkpoint(t.Context(), two)
		if err == nil {
			_, err = s.KeepCheckpoint(t.Context(), two, old, gateway.Checkpoint{Size: size, Envelope: []byte("note")})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	enqueuePlanned := func(name string) {
		t.Helper()
		sub := storetest.NewSubmission("tenant", name, "log")
		sub.Takeover = []string{"log", "two"}
		if _, err := s.Enqueue(t.Context(), []gateway.NewSubmission{sub}); err != nil {
			t.Fatal(err)
		}
	}
	claimTwo := func() []gateway.Claimed {
		t.Helper()
		p := gateway.ClaimParams{Log: "two", Lease: time.Minute, Limit: 9, InFlight: 9, Shard: two, TreeSize: 90}
		claimed, err := s.Claim(t.Context(), p)
		if err != nil || len(claimed) != 1 {
			t.Fatalf("claimed %+v, %v", claimed, err)
		}
		return claimed
	}
	finish := func(c gateway.Claimed, o gateway.Outcome) {
		t.Helper()
		o.EntryID, o.Fence = c.ID, c.Fence
		if _, err := s.Finish(t.Context(), []gateway.Outcome{o}); err != nil {
			t.Fatal(err)
		}
	}
	enqueueKept(t, s)
	keepTwo(50)
	if _, err := s.Enqueue(t.Context(), []gateway.NewSubmission{storetest.NewSubmission("tenant", "other", "two")}); err != nil {
		t.Fatal(err)
	}
	finish(claimTwo()[0], gateway.Outcome{Inclusion: storetest.NewInclusion(50)})
	enqueuePlanned("before")
	for range 2 {
		if err := errors.Join(server.Kill(), server.Restart()); err != nil {
			t.Fatal(err)
		}
		wantDoubtFirst(t, s)
		keepTwo(90)
		if _, err := s.DoubtPending(t.Context(), "two", two); err != nil {
			t.Fatal(err)
		}
	}
	putInDoubt(t, s, 1)
	doubts, err := s.Doubtful(t.Context(), gateway.DoubtParams{Log: "log", Shard: testShard, Limit: 9})
	if err != nil || len(doubts) != 1 {
		t.Fatal(doubts, err)
	}
	if _, err := s.Settle(t.Context(), []gateway.Settlement{{EntryID: doubts[0].ID, Fence: doubts[0].Fence, AbsentTo: 60, Resend: true}}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Millisecond) // in which queues are ordered
	enqueuePlanned("since")
	for _, c := range mustClaim(t, s, 2, 2) {
		finish(c, gateway.Outcome{Fail: true, Problem: "REFUSED", Next: []string{"two"}})
	}
	claimTwo()
	doubts, err = s.Doubtful(t.Context(), gateway.DoubtParams{Log: "two", Shard: two, Limit: 9})
	if err != nil || len(doubts) != 1 || *doubts[0].SentAtTreeSize != 50 || doubts[0].LastSentAt.IsZero() {
		t.Errorf("in doubt: %+v, %v", doubts, err)
	}
}

// TestDoubtFromCutShort: doubts that a gateway stores in part, before it or the database ends, are of the same search: larger checkpoints that are kept in between
// do not count.
func TestDoubtFromCutShort(t *testing.T) {
	before := doubtPage
	doubtPage = 1
	t.Cleanup(func() { doubtPage = before })
	server := postgrestest.NewServer(t)
	one, two := open(t, server.DSN("postgres"), Options{}), open(t, server.DSN("postgres"), Options{})
	enqueueKept(t, one, "1", "2", "3", "4", "5", "6", "7", "8", "9")
	partly := 0
	for size := uint64(90); size < 120; size++ {
		if size%10 == 0 {
			if err := errors.Join(server.Kill(), server.Restart()); err != nil {
				t.Fatal(err)
			}
		}
		keepSize(t, two, size)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(size%10)*time.Millisecond)
		_, err := one.DoubtPending(ctx, "log", testShard)
		cancel()
		if err == nil {
			break
		}
		doubts, err := two.Doubtful(t.Context(), gateway.DoubtParams{Log: "log", Shard: testShard, Limit: 9})
		if err != nil {
			t.Fatal(err)
		}
		if len(doubts) > 0 && len(doubts) < 9 {
			partly++
		}
	}
	t.Logf("stored in part %d times", partly)
	if _, err := two.DoubtPending(t.Context(), "log", testShard); err != nil {
		t.Fatal(err)
	}
	wantSearched(t, two, 5, 5, 5, 5, 5, 5, 5, 5, 5)
}
