// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
)

const sharedLog = "log"

// member is a process as the model has it. It keeps its share for a lease, by a clock that goes on while it is stopped.
type member struct {
	id    string
	watch gateway.ReplicaWatch
	share gateway.Share
	using int64         // entries under way that were begun within the share
	until time.Duration // the share's end; by the model's time
	due   time.Duration // of the next renewal
}

// mayUse is what it takes for its own at now.
func (m *member) mayUse(now time.Duration) gateway.Share {
	if now >= m.until {
		return gateway.Share{}
	}
	s := m.share
	s.InFlight = max(s.InFlight, m.using)
	return s
}

// renew is a renewal. Its answer may be late: then nothing of it is used, as long as the lease allows.
func (m *member) renew(t *testing.T, s *Store, now time.Duration, whole gateway.Share, lost bool) {
	t.Helper()
	r := gateway.Renewal{
		Replica: gateway.Replica{ID: m.id, Parts: map[string]string{"x": "y"}}, Whole: map[string]gateway.Share{sharedLog: whole},
		Held: map[string]gateway.Share{sharedLog: m.mayUse(now)}, Dead: m.watch.Dead(now),
	}
	delete(r.Dead, m.id)
	renewed, err := s.RenewReplica(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	m.due = now + gateway.ReplicaRenewal
	if lost {
		return
	}
	m.watch.Note(now, renewed.Replicas)
	m.share, m.until = renewed.Shares[sharedLog].Min(renewed.Targets[sharedLog]), now+gateway.ReplicaLease
	if renewed.Shares[sharedLog] != renewed.Targets[sharedLog] {
		m.due = now + gateway.ReplicaRenewal/4
	}
}

// TestSharesNeverExceedTheWhole has processes come, go, die, stop and wake, answers get lost, and the database's clock be set, at
// random: what all of them take for their own is never more than there is, and once they live on in peace each has its part.
func TestSharesNeverExceedTheWhole(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { modelShares(t, seed) })
	}
}

func modelShares(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	wall := time.Unix(1_800_000_000, 0)
	dsn := postgrestest.Shared(t).NewDatabase(t, "")
	s := open(t, dsn, Options{Now: func() time.Time { return wall }})
	whole := gateway.Share{InFlight: 1 + random.Int64N(20), Rate: 1 + random.Int64N(100_000), Burst: 1 + random.Int64N(8)}
	var members []*member
	stopped := map[*member]time.Duration{} // until when
	join := func(now time.Duration) {
		members = append(members, &member{id: fmt.Sprint("m", random.Uint64()), due: now})
	}
	now := time.Duration(0)
	step := func(peace bool) {
		now += 100 * time.Millisecond
		for _, m := range members {
			if now < stopped[m] {
				continue
			}
			if now >= m.due {
				m.renew(t, s, now, whole, !peace && random.IntN(10) == 0)
			}
			if free := m.share.InFlight - m.using; now < m.until && free > 0 && random.IntN(3) == 0 {
				m.using += random.Int64N(free + 1)
			}
			m.using -= random.Int64N(m.using + 1)
		}
		var sum gateway.Share
		for _, m := range members {
			sum = sum.Plus(m.mayUse(now))
		}
		if sum.Max(whole) != whole {
			t.Fatalf("after %v: %+v of %+v", now, sum, whole)
		}
	}
	for range 400 {
		switch random.IntN(40) {
		case 0:
			if len(members) < 5 {
				join(now)
			}
		case 1:
			if len(members) > 0 { // one dies, or leaves
				m := members[random.IntN(len(members))]
				members = remove(members, m)
				if random.IntN(2) == 0 {
					if err := s.LeaveReplica(t.Context(), m.id); err != nil {
						t.Fatal(err)
					}
				}
			}
		case 2:
			if len(members) > 0 {
				stopped[members[random.IntN(len(members))]] = now + time.Duration(random.Int64N(int64(20*time.Second)))
			}
		case 3:
			wall = wall.Add(time.Duration(random.Int64N(int64(2*time.Hour))) - time.Hour)
		}
		step(false)
	}
	join(now)
	clear(stopped)
	for range 160 {
		step(true)
	}
	var sum gateway.Share
	for rank, m := range members {
		sum = sum.Plus(m.share)
		if m.share.InFlight < whole.InFlight/int64(len(members)) {
			t.Errorf("of %d, number %d has %+v of %+v", len(members), rank, m.share, whole)
		}
	}
	if sum != whole {
		t.Errorf("%d have %+v of %+v", len(members), sum, whole)
	}
}

func remove(members []*member, gone *member) (left []*member) {
	for _, m := range members {
		if m != gone {
			left = append(left, m)
		}
	}
	return left
}

// TestReplicasKnown: what a process says of itself others read, until it has left, or is said to be dead with the count that it has.
func TestReplicasKnown(t *testing.T) {
	s := open(t, "", Options{})
	started := time.UnixMilli(1_700_000_000_123).UTC()
	a := gateway.Replica{ID: "a", Name: "host", Version: "1.2.3", Started: started, Parts: map[string]string{"logs": "abc"}}
	ten := map[string]gateway.Share{sharedLog: {InFlight: 10}}
	if _, err := s.RenewReplica(t.Context(), gateway.Renewal{Replica: a, Whole: ten}); err != nil {
		t.Fatal(err)
	}
	r, err := s.RenewReplica(t.Context(), gateway.Renewal{Replica: gateway.Replica{ID: "b"}, Whole: ten, Dead: map[string]int64{"a": 7}})
	if err != nil || len(r.Replicas) != 2 || r.Shares[sharedLog].InFlight != 0 || r.Targets[sharedLog].InFlight != 5 {
		t.Fatalf("%+v, %v", r, err)
	}
	all, err := s.ListReplicas(t.Context())
	if err != nil || len(all) != 2 || all[0].Name != "host" || all[0].Version != "1.2.3" || all[0].Started != started || all[0].Parts["logs"] != "abc" || all[0].Beat != 1 {
		t.Errorf("%+v, %v", all, err)
	}
	if r, err = s.RenewReplica(t.Context(), gateway.Renewal{Replica: gateway.Replica{ID: "b"}, Whole: ten, Dead: map[string]int64{"a": 1}}); err != nil || len(r.Replicas) != 1 || r.Shares[sharedLog].InFlight != 10 {
		t.Errorf("after a's death: %+v, %v", r, err)
	}
	if r, err = s.RenewReplica(t.Context(), gateway.Renewal{Replica: a, Whole: ten, Held: ten}); err != nil || r.Shares[sharedLog].InFlight != 0 {
		t.Errorf("one that was taken for dead keeps %+v, %v", r.Shares, err)
	}
	if err := s.LeaveReplica(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	if r, err = s.RenewReplica(t.Context(), gateway.Renewal{Replica: a, Whole: ten}); err != nil || len(r.Replicas) != 1 || r.Shares[sharedLog].InFlight != 10 {
		t.Errorf("after b has left: %+v, %v", r, err)
	}
}

// TestSharesOfALogThatSomeLack: while the configuration is changed, a log that only some of the processes have is shared out among
// those: what is too little for all does not lie with one that sends nothing to it.
func TestSharesOfALogThatSomeLack(t *testing.T) {
	s := open(t, newDatabase(t), Options{})
	whole := gateway.Share{InFlight: 1, Rate: 100, Burst: 1}
	renew := func(id string, logs ...string) map[string]gateway.Share {
		t.Helper()
		r := gateway.Renewal{Replica: gateway.Replica{ID: id}, Whole: map[string]gateway.Share{}}
		for _, log := range logs {
			r.Whole[log] = whole
		}
		renewed, err := s.RenewReplica(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return renewed.Shares
	}
	renew("a", "old")
	renew("b", "old")
	if got := renew("c", "old", "new"); got["new"] != whole || got["old"] != (gateway.Share{}) {
		t.Errorf("the one that has the new log has %+v", got)
	}
	renew("b", "old", "new")
	if got := renew("c", "old", "new"); got["new"] != (gateway.Share{}) {
		t.Errorf("it has %+v still, which is another one's now", got)
	}
	if got := renew("b", "old", "new"); got["new"] != whole {
		t.Errorf("the other one has %+v", got)
	}
}
