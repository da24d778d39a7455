// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Lives are what a store goes through. Each takes the store that is open, and returns the one that the gateway goes on with, and whether
// the gateway is another process then.
type Lives struct {
	Save    func(s gateway.Store) (gateway.Store, bool) // keeps a copy of what there is
	Restart func(s gateway.Store) (gateway.Store, bool) // what is stored stays
	PutBack func(s gateway.Store) (gateway.Store, bool) // puts the last copy in the place of the store
}

// RunLives works on a store for so many steps as a gateway does that sends entries to a log, which includes them later, and may be told of no answer. The store
// ends, and is put back to an older copy, again and again. Whatever the log has of what is in doubt is where it is searched for, nothing is sent to the log
// that has it, and at the end all that the store knows of is in the log.
func RunLives(t *testing.T, s gateway.Store, seed uint64, steps int, lives Lives) {
	t.Helper()
	r := &livesRun{t: t, s: s, random: rand.New(rand.NewPCG(seed, 0)), in: map[gateway.LeafHash]uint64{}}
	r.keepCheckpoint()
	saved := false
	for range steps {
		if t.Failed() {
			t.Fatalf("seed %d: %v", seed, r.counts())
		}
		switch n := r.random.IntN(40); {
		case n < 8:
			r.enqueue()
		case n < 14:
			r.keepCheckpoint()
		case n < 26:
			r.send()
		case n < 34:
			r.settle()
		case n < 36:
			r.goOn(lives.Save)
			saved = true
		case n < 38 || !saved:
			r.goOn(lives.Restart)
		default:
			r.goOn(lives.PutBack)
			r.restores++
		}
	}
	r.finish()
	t.Logf("seed %d: %v", seed, r.counts())
}

// livesRun is a RunLives on its way.
type livesRun struct {
	t       *testing.T
	s       gateway.Store
	random  *rand.Rand
	doubted bool // this process has put in doubt what was pending when it began

	in        map[gateway.LeafHash]uint64 // where the log has what it was sent, or will
	size      uint64                      // of its last checkpoint: what is behind it cannot be seen
	underWay  []gateway.Claimed           // the log may get it at any time
	enqueued  int
	restores  int
	settled   int
	sentAgain int
}

func (r *livesRun) counts() string {
	return fmt.Sprintf("%d enqueued, %d in the log, %d restores, %d found, %d sent again after a doubt", r.enqueued, len(r.in), r.restores, r.settled, r.sentAgain)
}

// try does what connections to a server that is gone may break first.
func (r *livesRun) try(f func() error) error {
	r.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		err := f()
		if err == nil || errors.Is(err, gateway.ErrDoubtFirst) || errors.Is(err, gateway.ErrLeaseLost) {
			return err
		}
		if !errors.Is(err, gateway.ErrStoreUnavailable) || time.Now().After(deadline) {
			r.t.Fatal(err)
		}
	}
}

func (r *livesRun) enqueue() {
	var subs []gateway.NewSubmission
	for range 1 + r.random.IntN(4) {
		r.enqueued++
		subs = append(subs, NewSubmission(tenant, fmt.Sprint("entry ", r.enqueued), logA))
	}
	_ = r.try(func() error { _, err := r.s.Enqueue(r.t.Context(), subs); return err })
}

// keepCheckpoint has the log include a part of what it was sent, and keeps its checkpoint.
func (r *livesRun) keepCheckpoint() {
	r.size += r.random.Uint64N(uint64(len(r.in)) - r.size + 1)
	_ = r.try(func() error {
		old, err := r.s.Checkpoint(r.t.Context(), shard)
		if err != nil || old != nil && old.Size >= r.size {
			return err
		}
		_, err = r.s.KeepCheckpoint(r.t.Context(), shard, old, newCheckpoint(r.size, "kept"))
		return err
	})
}

// send is what a worker does: it claims, once it has put in doubt what was pending, and sends.
func (r *livesRun) send() {
	if !r.doubted {
		r.putInDoubt()
		r.doubted = true
		return
	}
	var claimed []gateway.Claimed
	err := r.try(func() (err error) {
		claimed, err = r.s.Claim(r.t.Context(), gateway.ClaimParams{
			Log: logA, Lease: 10 * time.Millisecond, Limit: 1 + r.random.IntN(4), InFlight: 100, Shard: shard, TreeSize: r.size,
		})
		return err
	})
	if err != nil {
		r.putInDoubt()
		return
	}
	for _, c := range claimed {
		r.sendEntry(c)
	}
}

// sendEntry has the log get an entry, or not, now or later, and the store be told of that, or not.
func (r *livesRun) sendEntry(c gateway.Claimed) {
	switch r.random.IntN(5) {
	case 0: // it certainly was not sent
		r.storeOutcome(retryOutcome(c, 0))
	case 1: // the process hangs
		r.underWay = append(r.underWay, c)
	case 2: // the answer is lost
		r.receive(c)
		o := retryOutcome(c, 0)
		o.InDoubt = true
		r.storeOutcome(o)
	case 3: // the process is lost
		r.receive(c)
	default: // what is behind the last checkpoint is answered when it is included
		index := r.receive(c)
		r.size = max(r.size, index+1)
		o := loggedOutcome(c)
		o.Inclusion.Index = index
		r.storeOutcome(o)
	}
}

func (r *livesRun) receive(c gateway.Claimed) (index uint64) {
	r.t.Helper()
	if index, ok := r.in[c.LeafHash]; ok {
		r.t.Errorf("entry %d is sent to the log again, which has it as %d: %+v", c.ID, index, c.Entry)
		return index
	}
	index = uint64(len(r.in))
	r.in[c.LeafHash] = index
	return index
}

func (r *livesRun) storeOutcome(o gateway.Outcome) {
	_ = r.try(func() error { _, err := r.s.Finish(r.t.Context(), []gateway.Outcome{o}); return err })
}

// goOn has the log get what is under way, or lose it, before what happens to the store is over.
func (r *livesRun) goOn(f func(gateway.Store) (gateway.Store, bool)) {
	next, other := f(r.s)
	for _, c := range r.underWay {
		if r.random.IntN(2) == 0 {
			r.receive(c)
		}
	}
	r.underWay = nil
	r.s, r.doubted = next, r.doubted && !other
	if r.random.IntN(2) == 0 {
		r.keepCheckpoint()
	}
}

func (r *livesRun) putInDoubt() {
	_ = r.try(func() error { _, err := r.s.DoubtPending(r.t.Context(), logA, shard); return err })
	r.listDoubts()
}

// listDoubts returns what is in doubt, all of which is searched for from no further than where it is.
func (r *livesRun) listDoubts() (doubts []gateway.Doubt) {
	_ = r.try(func() (err error) {
		doubts, err = r.s.Doubtful(r.t.Context(), gateway.DoubtParams{Log: logA, Shard: shard, Unknown: true, Limit: 10_000})
		return err
	})
	for _, d := range doubts {
		index, ok := r.in[d.LeafHash]
		if from := searchedFrom(d); ok && index < from {
			r.t.Errorf("entry %d is searched for from %d on, and is in the log as %d: %+v", d.ID, from, index, d)
		}
	}
	return doubts
}

func searchedFrom(d gateway.Doubt) uint64 {
	if d.SentAtTreeSize == nil {
		return d.AbsentTo
	}
	return max(d.AbsentTo, *d.SentAtTreeSize)
}

// settle is what a scanner does up to the last checkpoint. What was sent counts as absent once the log has included all that it got: that is what
// canaries and the log's delay are for. What was never sent does at once.
func (r *livesRun) settle() {
	if !r.doubted {
		return
	}
	var all []gateway.Settlement
	for _, d := range r.listDoubts() {
		if slices.ContainsFunc(r.underWay, func(c gateway.Claimed) bool { return c.ID == d.ID }) {
			continue
		}
		e := gateway.Settlement{EntryID: d.ID, Fence: d.Fence}
		if index, ok := r.in[d.LeafHash]; ok && index < r.size && index >= searchedFrom(d) {
			e.Inclusion = NewInclusion(int64(index))
			r.settled++
		} else {
			e.AbsentTo, e.Resend = r.size, d.LastSentAt.IsZero() || r.size == uint64(len(r.in))
		}
		if e.Resend {
			r.sentAgain++
		}
		all = append(all, e)
	}
	_ = r.try(func() error { _, err := r.s.Settle(r.t.Context(), all); return err })
}

// finish goes on until all that is pending is in the log.
func (r *livesRun) finish() {
	for deadline := time.Now().Add(time.Minute); !r.t.Failed(); {
		r.size = uint64(len(r.in))
		r.underWay = nil
		r.keepCheckpoint()
		r.send()
		r.settle()
		var stats gateway.Stats
		_ = r.try(func() (err error) { stats, err = r.s.Stats(r.t.Context()); return err })
		if stats.Pending[logA] == 0 {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("pending still: %+v", stats)
		}
	}
}
