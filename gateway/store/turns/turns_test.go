// SPDX-License-Identifier: Apache-2.0

package turns

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// source has lines in memory, by tenant, oldest first. Like a store that locks what it shows, it shows no more than is wanted.
type source struct {
	lines map[gateway.Priority]map[int64][]Entry
	err   error // of ReadEntries
}

func newSource() *source {
	return &source{lines: map[gateway.Priority]map[int64][]Entry{gateway.Interactive: {}, gateway.Backfill: {}}}
}

// add puts n entries into a tenant's line.
func (s *source) add(p gateway.Priority, tenant, queuedAt int64, n int) {
	for i := range n {
		e := Entry{Tenant: tenant, QueuedAt: queuedAt}
		e.ID = queuedAt*1000 + tenant*100 + int64(i)
		s.lines[p][tenant] = append(s.lines[p][tenant], e)
	}
}

func (s *source) AnyInLine(p gateway.Priority) (bool, error) { return len(s.lines[p]) > 0, nil }

func (s *source) ListTenants(p gateway.Priority, after, upTo int64, n int) ([]int64, error) {
	all := slices.DeleteFunc(slices.Sorted(maps.Keys(s.lines[p])), func(t int64) bool { return t <= after || t > upTo })
	return all[:min(n, len(all))], nil
}

func (s *source) ReadEntries(p gateway.Priority, before int64, places []Place, each, wanted int) (map[int64][]Entry, error) {
	rows := map[int64][]Entry{}
	for _, place := range places {
		for _, e := range s.lines[p][place.Tenant] {
			if e.QueuedAt > before || comparePlaces(e, Entry{QueuedAt: place.QueuedAt, Claimed: gateway.Claimed{Entry: gateway.Entry{ID: place.ID}}}) <= 0 {
				continue
			}
			if len(rows[place.Tenant]) < each {
				rows[place.Tenant] = append(rows[place.Tenant], e)
				wanted--
			}
		}
		if each == 1 && wanted == 0 {
			break
		}
	}
	return rows, s.err
}

// claim picks entries, takes them out of their lines, and counts them by tenant.
func (s *source) claim(t *testing.T, r *Rotation, now int64, limit int) map[int64]int {
	t.Helper()
	picked, keep, err := r.Pick(s, 1, now, limit)
	if err != nil || len(picked) > limit {
		t.Fatalf("%d of %d picked, %v", len(picked), limit, err)
	}
	keep()
	counts := map[int64]int{}
	for _, c := range picked {
		for p, tenants := range s.lines {
			for tenant, all := range tenants {
				i := slices.IndexFunc(all, func(e Entry) bool { return e.ID == c.ID })
				if i < 0 {
					continue
				}
				counts[tenant]++
				if tenants[tenant] = slices.Delete(all, i, i+1); len(tenants[tenant]) == 0 {
					delete(s.lines[p], tenant)
				}
			}
		}
	}
	return counts
}

// TestTurns: the round goes on from one claim to the next, and what one tenant does not need is the others'.
func TestTurns(t *testing.T) {
	s, r := newSource(), new(Rotation)
	for tenant := range int64(5) {
		s.add(gateway.Interactive, tenant+1, 7, 4)
	}
	s.add(gateway.Interactive, 9, 3, 50)
	for i, step := range []struct {
		limit int
		want  map[int64]int
	}{
		{3, map[int64]int{1: 1, 2: 1, 3: 1}},
		{5, map[int64]int{4: 1, 5: 1, 9: 1, 1: 1, 2: 1}},
		{13, map[int64]int{3: 3, 4: 2, 5: 2, 9: 2, 1: 2, 2: 2}},
		{20, map[int64]int{4: 1, 5: 1, 9: 18}},
	} {
		if got := s.claim(t, r, 10, step.limit); !maps.Equal(got, step.want) {
			t.Errorf("claim %d picked %v, want %v", i, got, step.want)
		}
	}
}

// TestBackfill: backfill that is old has one of a few, and the rest where nothing else waits.
func TestBackfill(t *testing.T) {
	s, r := newSource(), new(Rotation)
	now := 2 * gateway.BackfillAge.Milliseconds()
	s.add(gateway.Interactive, 1, now, 40)
	s.add(gateway.Backfill, 2, 5, 30)     // old
	s.add(gateway.Backfill, 3, now-1, 30) // young
	total := map[int64]int{}
	for range 4 * gateway.BackfillShare {
		for tenant, n := range s.claim(t, r, now, 1) {
			total[tenant] += n
		}
	}
	if want := map[int64]int{1: 3 * gateway.BackfillShare, 2: gateway.BackfillShare}; !maps.Equal(total, want) {
		t.Errorf("picked %v, want %v", total, want)
	}
	if got := s.claim(t, r, now, 1000); len(s.lines[gateway.Interactive])+len(s.lines[gateway.Backfill]) > 0 {
		t.Errorf("%v are left of %v", s.lines, got)
	}
}

// TestYields: backfill yields, but for what is old.
func TestYields(t *testing.T) {
	s, now := newSource(), 2*gateway.BackfillAge.Milliseconds()
	s.add(gateway.Interactive, 1, now, 1)
	s.add(gateway.Backfill, 2, 5, 1)     // old
	s.add(gateway.Backfill, 3, now-1, 1) // young
	picked, _, err := new(Rotation).Pick(s, 1, now, 4*gateway.BackfillShare)
	if err != nil || len(picked) != 3 {
		t.Fatalf("%d picked, %v", len(picked), err)
	}
	for _, c := range picked {
		if young := c.ID == (now-1)*1000+300; c.Yields != young {
			t.Errorf("entry %d yields: %v", c.ID, c.Yields)
		}
	}
}

// TestNothingKept: a claim that failed, or was undone, is nobody's turn.
func TestNothingKept(t *testing.T) {
	s, r := newSource(), new(Rotation)
	s.add(gateway.Interactive, 1, 1, 1)
	s.add(gateway.Interactive, 2, 1, 1)
	for range 2 {
		picked, _, err := r.Pick(s, 1, 1, 1)
		if err != nil || len(picked) != 1 || picked[0].ID != 1100 {
			t.Errorf("picked %v, %v", picked, err)
		}
	}
	s.err = errors.New("unreadable")
	if picked, keep, err := r.Pick(s, 1, 1, 1); !errors.Is(err, s.err) || picked != nil || keep != nil {
		t.Errorf("picked %v, %v", picked, err)
	}
}
