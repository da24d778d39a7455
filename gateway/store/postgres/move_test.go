// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// moveMutants are what Move could forget.
var moveMutants = mutants{
	"moves what is in doubt":              {&mayMove, "(e.in_doubt OR e.leased_until > $6)", "(NOT e.in_doubt AND e.leased_until > $6)", "Move/all or none"},
	"moves what is leased":                {&mayMove, "(e.in_doubt OR e.leased_until > $6)", "(e.in_doubt AND e.leased_until <= $6)", "Move/never from doubt"},
	"never moves what is in doubt":        {&mayMove, "NOT $5::boolean AND ", "($5::boolean OR true) AND ", "Move/back to where it was in doubt"},
	"moves what is there already":         {&mayMove, "e.log = $3\n        OR ", "false\n        OR ", "Move/there already"},
	"moves what was not planned so":       {&mayMove, "AND k.logs::jsonb ? $7::text", "AND $7::text <> ''", "Move/only what was planned so"},
	"moves only what was planned":         {&mayMove, "(NOT $4::boolean OR ", "(($4::boolean AND false) OR ", "Move/back to where it was in doubt"},
	"moves to what was refused":           {&mayMove, "there.state = 'FAILED'", "there.state = 'NONE'", "Move/to what was refused there"},
	"moves one of several entries":        {&linksToMove, "ORDER BY", "AND e.state = 'PENDING' AND se.role = 0 ORDER BY", "Move/all or none"},
	"moves only what waits of several":    {&linksToMove, "ORDER BY", "AND e.state = 'PENDING' ORDER BY", "Move/all or none"},
	"leaves the entry to be sent":         {&unlinkedEntries, "state = 'PENDING' AND", "state = 'NONE' AND", "Move/all or none"},
	"takes the entry from others":         {&unlinkedEntries, "AND NOT EXISTS (SELECT 1 FROM submission_entry se WHERE se.entry = e.id)", "", "Move/shared"},
	"makes the entry younger":             {&copyEntries, "d.tenant, e.queued_at,", "d.tenant, e.queued_at + 1 AS queued_at,", "Move/as old"},
	"loses the tenant":                    {&copyEntries, "d.tenant, e.queued_at,", "d.tenant * 0 AS tenant, e.queued_at,", "Move/turns"},
	"loses the priority":                  {&copyEntries, "e.priority, d.tenant", "e.priority * 0 AS priority, d.tenant", "Move/turns"},
	"loses the order of the queue":        {&copyEntries, "ORDER BY e.queued_at, e.id)", "ORDER BY e.leaf_hash)", "Move/turns"},
	"forgets where it is in the queue":    {&queueToMove, "(e.queued_at, e.id) > ($2, $3)", "(e.queued_at, e.id) > (0 * $2, 0 * $3)", "Move/in pages"},
	"skips what is of the same time":      {&queueToMove, "(e.queued_at, e.id) > ($2, $3)", "e.queued_at > $2 AND 0 <= $3", "Move/in pages"},
	"passes on what was logged":           {&failedByLog, "AND e.state = 'FAILED')", ")", "Next/refused elsewhere"},
	"counts what stays as what was moved": {&countWaiting, "COUNT(*)", "0", "Move/all or none"},
	"leaves what had failed there":        {&reviveTargets, "AND e.state = 'FAILED'", "AND e.state = 'NONE'", "Move/back to where it was in doubt"},
	"leaves what is less urgent there":    {&raiseTargets, "AND e.priority < d.priority", "AND e.priority > d.priority", "Move/to what waits there"},
}

// TestMoveMutants: a store that forgets a rule of Move fails a test.
func TestMoveMutants(t *testing.T) {
	driver := func(t *testing.T, o storetest.Options) storetest.Opened {
		return storetest.Opened{Store: open(t, newDatabase(t), Options{Now: o.Now})}
	}
	moveMutants.failAll(t, driver, storetest.FailMoving)
}

// TestMoveMeanwhile: while submissions go from one log to another and back, others that share their entries are stored,
// sent, refused and passed on, and a log is retired now and then. What is stored fits together all the time.
func TestMoveMeanwhile(t *testing.T) {
	dsn := newDatabase(t)
	stores := []*Store{open(t, dsn, Options{}), open(t, dsn, Options{})}
	end := time.Now().Add(4 * time.Second)
	var wg sync.WaitGroup
	run := func(what string, step func(s *Store) error) {
		for _, s := range stores {
			wg.Go(func() {
				steps := 0
				for time.Now().Before(end) && !t.Failed() {
					if err := step(s); err != nil && !errors.Is(err, gateway.ErrLeaseLost) && !errors.Is(err, gateway.ErrRetired) && !errors.Is(err, gateway.ErrNotFound) {
						t.Errorf("%s: %v", what, err)
					}
					steps++
				}
				if steps == 0 {
					t.Errorf("%s: not once", what)
				}
			})
		}
	}
	run("enqueuing", func(s *Store) error { return enqueueShared(t, s) })
	run("moving", func(s *Store) error {
		logs := []string{"a", "b", "c"}
		rand.Shuffle(len(logs), func(i, j int) { logs[i], logs[j] = logs[j], logs[i] })
		_, err := s.Move(t.Context(), gateway.MoveParams{From: logs[0], To: logs[1], Planned: rand.IntN(2) == 0, InDoubt: rand.IntN(4) == 0, Limit: 20})
		return err
	})
	run("sending", func(s *Store) error { return sendSome(t, s, []string{"a", "b", "c"}[rand.IntN(3)]) })
	run("retiring", func(s *Store) error {
		time.Sleep(50 * time.Millisecond)
		_, err := s.Retire(t.Context(), gateway.RetireParams{Log: "c", GiveUpDoubt: true, Limit: 1000})
		if err == nil {
			err = s.Reinstate(t.Context(), "c")
		}
		return err
	})
	wg.Wait()
	checkRows(t, dsn)
}

func enqueueShared(t testing.TB, s *Store) error {
	var subs []gateway.NewSubmission
	for range 1 + rand.IntN(8) {
		leaf := func() string { return fmt.Sprint("leaf", rand.IntN(40)) }
		sub := storetest.NewSubmission(fmt.Sprint("tenant", rand.IntN(3)), fmt.Sprint(rand.Int64()), "a", leaf(), leaf())
		sub.Takeover = []string{"a", "b", "c"}
		subs = append(subs, sub)
	}
	_, err := s.Enqueue(t.Context(), subs)
	return err
}

// sendSome claims entries, and has some of them logged, refused, tried again and left in doubt.
func sendSome(t testing.TB, s *Store, log string) error {
	claimed, err := s.Claim(t.Context(), gateway.ClaimParams{Log: log, Lease: time.Minute, Limit: 5, InFlight: 1000, Shard: testShard, TreeSize: 7})
	var outcomes []gateway.Outcome
	for _, c := range claimed {
		o := gateway.Outcome{EntryID: c.ID, Fence: c.Fence}
		switch rand.IntN(4) {
		case 0:
			o.Inclusion = storetest.NewInclusion(c.ID)
		case 1:
			o.Fail, o.Problem, o.Next = true, "REFUSED", []string{"b", "c", "a"}
		case 2:
			o.Retry = true
		default:
			o.Retry, o.InDoubt = true, true
		}
		outcomes = append(outcomes, o)
	}
	if err == nil {
		_, err = s.Finish(t.Context(), outcomes)
	}
	return err
}
