// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// machine has a clock of the wall, which is set now and then, and one of its boot.
type machine struct {
	boot string
	wall time.Time
	up   time.Duration
}

func newMachine() *machine {
	return &machine{boot: "first", wall: time.UnixMilli(1_800_000_000_000), up: time.Hour}
}

// pass lets time pass.
func (m *machine) pass(d time.Duration) { m.wall, m.up = m.wall.Add(d), m.up+d }

// restart boots the machine anew, at once.
func (m *machine) restart() { m.boot, m.up = m.boot+"+", 0 }

func (m *machine) open(t *testing.T, path string) *Store {
	return open(t, path, Options{
		Now:  func() time.Time { return m.wall },
		boot: bootClock{id: m.boot, elapsed: func() time.Duration { return m.up }},
	})
}

var clockShard = gateway.Shard{Origin: "o", KeyID: [32]byte{1}}

// claimNew claims entry name, which is new, for 15 seconds.
func claimNew(t *testing.T, s *Store, name string) gateway.Claimed {
	t.Helper()
	if _, err := s.Enqueue(t.Context(), []gateway.NewSubmission{storetest.NewSubmission("tenant", name, "log")}); err != nil {
		t.Fatal(err)
	}
	got := claimDue(t, s)
	if len(got) != 1 {
		t.Fatalf("claimed %d", len(got))
	}
	return got[0]
}

func claimDue(t *testing.T, s *Store) []gateway.Claimed {
	t.Helper()
	got, err := s.Claim(t.Context(), gateway.ClaimParams{Log: "log", Lease: 15 * time.Second, Limit: 9, InFlight: 9, Shard: clockShard})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func wantDoubts(t *testing.T, s *Store, want ...time.Duration) {
	t.Helper()
	got, err := s.Doubtful(t.Context(), gateway.DoubtParams{Log: "log", Shard: clockShard, Limit: 9})
	if err != nil || len(got) != len(want) {
		t.Fatalf("in doubt: %+v, %v; want %d", got, err, len(want))
	}
	for i, d := range got {
		if d.SentAgo != want[i] {
			t.Errorf("sent %v ago, want %v", d.SentAgo, want[i])
		}
	}
}

// TestClockOfTheWallIsSet: neither a lease, nor a wait, nor the age of a doubt goes by a clock that people
// set, for this process, another one, and the next.
func TestClockOfTheWallIsSet(t *testing.T) {
	for name, jump := range map[string]time.Duration{"forward": 48 * time.Hour, "back": -48 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			m, path := newMachine(), filepath.Join(t.TempDir(), "store.db")
			s := m.open(t, path)
			lapsing, waiting := claimNew(t, s, "lapsing"), claimNew(t, s, "waiting")
			_, err := s.Finish(t.Context(), []gateway.Outcome{{EntryID: waiting.ID, Fence: waiting.Fence, Retry: true, RetryIn: time.Minute}})
			if err != nil {
				t.Fatal(err)
			}
			m.wall = m.wall.Add(jump)
			for _, s := range []*Store{s, m.open(t, path)} {
				wantDoubts(t, s)
				if got := claimDue(t, s); len(got) != 0 {
					t.Errorf("claimed %+v", got)
				}
			}
			m.pass(time.Minute)
			for _, s := range []*Store{s, m.open(t, path)} {
				wantDoubts(t, s, 45*time.Second)
			}
			if got := claimDue(t, s); len(got) != 1 || got[0].ID == lapsing.ID {
				t.Errorf("claimed %+v", got)
			}
			subs, _, err := s.List(t.Context(), "tenant", gateway.ListParams{})
			if err != nil || !subs[0].CreatedAt.Equal(m.wall.Add(-jump-time.Minute)) {
				t.Errorf("created at %v, %v", subs[0].CreatedAt, err)
			}
		})
	}
}

// TestClockOfAnotherBoot: what lies before a boot is as old as the boot at least, and what seems to lie
// in the future ends soon.
func TestClockOfAnotherBoot(t *testing.T) {
	for name, jump := range map[string]time.Duration{"forward": 48 * time.Hour, "back": -48 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			m, path := newMachine(), filepath.Join(t.TempDir(), "store.db")
			s := m.open(t, path)
			claimNew(t, s, "lapsing")
			waiting := claimNew(t, s, "waiting")
			_, err := s.Finish(t.Context(), []gateway.Outcome{{EntryID: waiting.ID, Fence: waiting.Fence, Retry: true, RetryIn: 5 * time.Minute}})
			if err != nil {
				t.Fatal(err)
			}
			m.wall = m.wall.Add(jump)
			m.restart()
			s = m.open(t, path)
			if jump > 0 {
				wantDoubts(t, s, 0)
			}
			m.pass(longestLease + time.Second)
			s = m.open(t, path)
			if jump > 0 {
				wantDoubts(t, s, longestLease+time.Second)
			} else {
				wantDoubts(t, s, time.Second)
			}
			m.pass(longestWait)
			if got := claimDue(t, s); len(got) != 1 || got[0].ID != waiting.ID {
				t.Errorf("claimed %+v", got)
			}
		})
	}
}

// TestMachineBoot: where the system names its boots, its clock goes on.
func TestMachineBoot(t *testing.T) {
	first, second := machineBoot(), machineBoot()
	if first.id != second.id {
		t.Fatalf("boot %q and %q", first.id, second.id)
	}
	if first.id == "" {
		t.Skip("this system does not name its boots")
	}
	if a, b := first.elapsed(), second.elapsed(); a <= 0 || b < a || b > a+time.Minute {
		t.Errorf("up for %v, then %v", a, b)
	}
}
