// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// modelLogs are the logs of a modelled delivery, and how often each has each leaf.
type modelLogs map[string]map[gateway.LeafHash]int

// modelled is a store that is used at random, as a delivery and operators would, over logs that are exactly known.
type modelled struct {
	*testing.T
	*rand.Rand
	store    *Store
	logs     modelLogs
	shard    gateway.Shard
	now      time.Time
	underWay []gateway.Claimed
	retired  map[string]bool
	subs     []gateway.Submission
}

var modelNames = []string{"a", "b", "c"}

// TestModel: whatever happens, in whatever order, nothing is sent to a log that has it already, what is said to be logged is, and
// in the end nothing is left over.
func TestModel(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := &modelled{T: t, Rand: rand.New(rand.NewPCG(seed, 1)), logs: modelLogs{}, retired: map[string]bool{}, now: time.Unix(1_800_000_000, 0)}
			m.shard = gateway.Shard{Origin: "log.example", KeyID: [32]byte{1}}
			for _, name := range modelNames {
				m.logs[name] = map[gateway.LeafHash]int{}
			}
			path := filepath.Join(t.TempDir(), "store.db")
			m.store = open(t, path, Options{Now: func() time.Time { return m.now }})
			_, err := m.store.KeepCheckpoint(t.Context(), m.shard, nil, gateway.Checkpoint{Size: 1, Envelope: []byte("signed")})
			m.ok(err)
			steps := []func(){m.submit, m.submit, m.claim, m.claim, m.answer, m.answer, m.answer, m.settle, m.move, m.move, m.retire, m.reinstate, m.restart}
			for range 300 {
				steps[m.IntN(len(steps))]()
				m.now = m.now.Add(time.Duration(m.IntN(5000)) * time.Millisecond)
			}
			m.drain()
			if _, err := Check(t.Context(), path); err != nil {
				t.Error(err)
			}
		})
	}
}

func (m *modelled) ok(err error, allowed ...error) {
	m.Helper()
	if err != nil && !slices.ContainsFunc(allowed, func(a error) bool { return errors.Is(err, a) }) {
		m.Fatal(err)
	}
}

func (m *modelled) anyLog() string { return modelNames[m.IntN(len(modelNames))] }

func (m *modelled) submit() {
	name := fmt.Sprint("s", m.IntN(40))
	sub := storetest.NewSubmission(fmt.Sprint("tenant ", m.IntN(3)), name, m.anyLog(), "leaf"+fmt.Sprint(m.IntN(25)))
	if m.IntN(3) == 0 {
		second := storetest.NewSubmission("", name, sub.Entries[0].Log, "leaf"+fmt.Sprint(25+m.IntN(9)))
		sub.Entries = append(sub.Entries, second.Entries[0])
	}
	switch m.IntN(3) {
	case 0:
		sub.Takeover = modelNames
	case 1: // in all logs
		alone := sub.Entries
		sub.Entries, sub.Needed = nil, 1+m.IntN(len(modelNames))
		for _, log := range modelNames {
			for _, e := range alone {
				e.Log = log
				sub.Entries = append(sub.Entries, e)
			}
		}
	}
	got, err := m.store.Enqueue(m.Context(), []gateway.NewSubmission{sub})
	m.ok(err)
	m.ok(got[0].Err)
	m.subs = append(m.subs, got[0].Submission)
}

func (m *modelled) claim() {
	claimed, err := m.store.Claim(m.Context(), gateway.ClaimParams{
		Log: m.anyLog(), Lease: 15 * time.Second, Limit: 1 + m.IntN(5), InFlight: 20, Shard: m.shard, TreeSize: 1,
	})
	m.ok(err)
	m.underWay = append(m.underWay, claimed...)
}

// answer ends a call: with the log having the entry or not, and with the gateway knowing it or not.
func (m *modelled) answer() {
	if len(m.underWay) == 0 {
		return
	}
	at := m.IntN(len(m.underWay))
	c := m.underWay[at]
	m.underWay = slices.Delete(m.underWay, at, at+1)
	o := gateway.Outcome{EntryID: c.ID, Fence: c.Fence}
	has := m.logs[c.Log]
	if has[c.LeafHash] > 0 {
		m.Errorf("leaf %x is sent to %s again, which has it", c.LeafHash[:4], c.Log)
	}
	switch m.IntN(7) {
	case 0: // nobody is told
		has[c.LeafHash]++
		return
	case 1:
		has[c.LeafHash]++
		o.Retry, o.InDoubt, o.Problem = true, true, gateway.ProblemUnknown
	case 2:
		o.Retry, o.InDoubt, o.RetryIn, o.Problem = true, true, time.Second, gateway.ProblemUnknown
	case 3:
		o.Retry, o.RetryIn, o.Problem = true, 5*time.Second, gateway.ProblemOverloaded
	case 4:
		o.Fail, o.Problem, o.Next = true, gateway.ProblemRefused, modelNames
	default:
		has[c.LeafHash]++
		o.Inclusion = storetest.NewInclusion(1)
	}
	_, err := m.store.Finish(m.Context(), []gateway.Outcome{o})
	m.ok(err, gateway.ErrLeaseLost)
}

// settle looks for what is in doubt and not under way.
func (m *modelled) settle() {
	for _, log := range modelNames {
		doubts, err := m.store.Doubtful(m.Context(), gateway.DoubtParams{Log: log, Shard: m.shard, Unknown: true, Limit: 1000})
		m.ok(err)
		var found []gateway.Settlement
		for _, d := range doubts {
			if slices.ContainsFunc(m.underWay, func(c gateway.Claimed) bool { return c.Log == log && c.LeafHash == d.LeafHash }) {
				continue
			}
			s := gateway.Settlement{EntryID: d.ID, Fence: d.Fence, AbsentTo: 1, Resend: true}
			if m.logs[log][d.LeafHash] > 0 {
				s = gateway.Settlement{EntryID: d.ID, Fence: d.Fence, Inclusion: storetest.NewInclusion(1)}
			}
			found = append(found, s)
		}
		_, err = m.store.Settle(m.Context(), found)
		m.ok(err)
	}
}

func (m *modelled) move() {
	from, to := m.anyLog(), m.anyLog()
	if from == to {
		return
	}
	_, err := m.store.Move(m.Context(), gateway.MoveParams{From: from, To: to, Planned: m.IntN(2) == 0, InDoubt: m.IntN(3) == 0, Limit: 1 + m.IntN(20)})
	m.ok(err, gateway.ErrRetired)
}

func (m *modelled) retire() {
	if m.IntN(4) > 0 {
		return
	}
	log := m.anyLog()
	_, err := m.store.Retire(m.Context(), gateway.RetireParams{Log: log, GiveUpDoubt: m.IntN(2) == 0, Limit: 1 + m.IntN(9)})
	var unsettled *gateway.UnsettledError
	if !errors.As(err, &unsettled) {
		m.ok(err, gateway.ErrNotFound)
	}
}

func (m *modelled) reinstate() {
	m.ok(m.store.Reinstate(m.Context(), m.anyLog()), gateway.ErrNotFound)
}

func (m *modelled) restart() {
	_, err := m.store.DoubtPending(m.Context(), m.anyLog(), m.shard)
	m.ok(err)
}

// drain has all that waits logged, and compares what the store says with the logs.
func (m *modelled) drain() {
	for _, name := range modelNames {
		m.ok(m.store.Reinstate(m.Context(), name), gateway.ErrNotFound)
	}
	for range 10_000 {
		m.now = m.now.Add(time.Minute)
		for len(m.underWay) > 0 {
			m.answer()
		}
		m.settle()
		m.claim()
		stats, err := m.store.Stats(m.Context())
		m.ok(err)
		left := 0
		for _, n := range stats.Pending {
			left += n
		}
		if left == 0 {
			break
		}
	}
	for _, sub := range m.subs {
		got, err := m.store.Get(m.Context(), sub.Tenant, sub.ID)
		m.ok(err)
		var states []gateway.EntryState
		for _, e := range got.Entries {
			states = append(states, gateway.EntryState{Log: e.Log, State: e.State})
			if e.State == gateway.Logged && m.logs[e.Log][e.LeafHash] != 1 || e.State == gateway.Pending {
				m.Errorf("an entry is %s, and %d times in %s", e.State, m.logs[e.Log][e.LeafHash], e.Log)
			}
		}
		if want := gateway.StateOf(states, got.Needed); got.State != want {
			m.Errorf("a submission is %s, and should be %s: %v", got.State, want, states)
		}
	}
}
