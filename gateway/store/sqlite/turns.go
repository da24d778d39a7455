// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Entries are claimed in turns: each tenant with something in a line gives its oldest entry, again and again,
// until there are enough. Whose turn it was last is known to this process alone, which is fair enough: after
// a restart the round begins anew, and several processes go their rounds side by side.

const (
	// Where entries stand that may be sent: in the index entry_queue.
	sendable = `state = 'PENDING' AND in_doubt = 0 AND next_at = 0`

	anyInLine = `SELECT EXISTS (SELECT 1 FROM entry WHERE log = ? AND priority = ? AND ` + sendable + `)`

	// Tenants after ?3, up to ?4, each found by one look into the index.
	tenantsInLine = `
WITH RECURSIVE line (tenant, n) AS (
    SELECT (SELECT MIN(tenant) FROM entry WHERE log = ?1 AND priority = ?2 AND ` + sendable + ` AND tenant > ?3 AND tenant <= ?4), 1
    UNION ALL
    SELECT (SELECT MIN(e.tenant) FROM entry e WHERE e.log = ?1 AND e.priority = ?2 AND ` + sendable + ` AND e.tenant > line.tenant
        AND e.tenant <= ?4), n + 1
    FROM line WHERE line.tenant IS NOT NULL AND n < ?5)
SELECT tenant FROM line WHERE tenant IS NOT NULL`

	// ?4 is a JSON array of a tenant and what was read of it: the last one's queued_at and id.
	entriesInLine = `
SELECT ` + entryColumns + `, e.tenant, e.queued_at FROM json_each(?4) j CROSS JOIN entry e ON e.id IN (
    SELECT id FROM entry WHERE log = ?1 AND priority = ?2 AND ` + sendable + ` AND tenant = j.value->>0 AND queued_at <= ?3
        AND (queued_at, id) > (j.value->>1, j.value->>2)
    ORDER BY queued_at, id LIMIT ?5) ` + entryNames
)

// line is where entries wait for their tenants' turns.
type line int

const (
	interactiveLine line = iota
	backfillLine
	agedLine // of what stands in backfillLine, what has waited for gateway.BackfillAge
	lines
)

// agedLook is how many tenants at least are looked at for backfill that is old. Among many whose backfill is fresh, the old one would
// not have its share else where a claim takes few.
const agedLook = 1024

// turns are whose turn it was in each line of a log.
type turns struct {
	last [lines]int64 // tenants' rows
	// owed counts what was claimed since backfill that is old had its share.
	owed int
}

// rotation has the turns of all logs, by their rows.
type rotation struct {
	mu    sync.Mutex // guards turns
	turns map[int64]turns
}

func newRotation() *rotation { return &rotation{turns: make(map[int64]turns)} }

func (r *rotation) readTurns(log int64) turns {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.turns[log]
}

func (r *rotation) keepTurns(log int64, t turns) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turns[log] = t
}

// inLine is a sendable entry and its place.
type inLine struct {
	gateway.Claimed
	tenant   int64
	queuedAt int64
}

func comparePlaces(a, b inLine) int {
	return cmp.Or(cmp.Compare(a.queuedAt, b.queuedAt), cmp.Compare(a.ID, b.ID))
}

// picking is the choice of what one claim takes.
type picking struct {
	*tx
	log, now int64
	turns    turns // after this choice
	picked   []gateway.Claimed
	passed   map[gateway.Priority]map[int64]inLine // the last that was picked, by tenant
}

// pickEntries returns up to limit sendable entries of a log, those to send first first, without their bodies.
func (s *Store) pickEntries(t *tx, log, now int64, limit int) ([]gateway.Claimed, error) {
	p := &picking{tx: t, log: log, now: now, turns: s.rotation.readTurns(log), passed: map[gateway.Priority]map[int64]inLine{
		gateway.Interactive: {}, gateway.Backfill: {},
	}}
	p.turns.owed += limit
	share := p.turns.owed / gateway.BackfillShare
	var backfill bool // there is any; looking whose it is costs more than asking that
	if err := t.QueryRow(anyInLine, log, gateway.Backfill).Scan(&backfill); err != nil {
		return nil, err
	}
	if backfill {
		if err := p.takeTurns(agedLine, share); err != nil {
			return nil, err
		}
	}
	p.turns.owed -= gateway.BackfillShare * len(p.picked)
	if len(p.picked) < share { // what nobody asked for is not owed later
		p.turns.owed = 0
	}
	if err := p.takeTurns(interactiveLine, limit-len(p.picked)); err != nil {
		return nil, err
	}
	if backfill {
		if err := p.takeTurns(backfillLine, limit-len(p.picked)); err != nil {
			return nil, err
		}
	}
	t.committed = append(t.committed, func() { s.rotation.keepTurns(log, p.turns) })
	return p.picked, nil
}

// takeTurns picks n entries of a line: one of each tenant in it, in the order of their rows after the one whose
// turn was last, then another one of each.
func (p *picking) takeTurns(l line, n int) error {
	if n <= 0 {
		return nil
	}
	look := n
	if l == agedLine {
		look = max(n, agedLook)
	}
	tenants, err := p.listTenants(l, look)
	if err != nil || len(tenants) == 0 {
		return err
	}
	end := tenants[len(tenants)-1]
	for n > 0 && len(tenants) > 0 {
		each := (n + len(tenants) - 1) / len(tenants)
		rows, err := p.readEntries(l, tenants, each)
		if err != nil {
			return err
		}
		n -= p.dealTurns(l, tenants, rows, n)
		tenants = slices.DeleteFunc(tenants, func(t int64) bool { return len(rows[t]) < each })
	}
	if n > 0 { // all of these had their turn, so that others are looked at next time
		p.turns.last[l] = end
	}
	return nil
}

// listTenants returns up to n tenants in a line, those whose turn is next first.
func (p *picking) listTenants(l line, n int) ([]int64, error) {
	last := p.turns.last[l]
	all, err := p.tenantsBetween(l, math.MinInt64, math.MaxInt64, n+1)
	if err != nil {
		return nil, err
	}
	if len(all) <= n { // all that there are, as a rule
		after := slices.IndexFunc(all, func(tenant int64) bool { return tenant > last })
		if after > 0 {
			all = slices.Concat(all[after:], all[:after])
		}
		return all, nil
	}
	tenants, err := p.tenantsBetween(l, last, math.MaxInt64, n)
	if err != nil || len(tenants) == n {
		return tenants, err
	}
	more, err := p.tenantsBetween(l, math.MinInt64, last, n-len(tenants))
	return append(tenants, more...), err
}

// tenantsBetween returns up to n tenants in a line, after one and up to another.
func (p *picking) tenantsBetween(l line, after, upTo int64, n int) ([]int64, error) {
	return collectColumn[int64](p.tx, tenantsInLine, p.log, l.priority(), after, upTo, n)
}

func (l line) priority() gateway.Priority {
	if l == interactiveLine {
		return gateway.Interactive
	}
	return gateway.Backfill
}

// readEntries returns the oldest entries of each of the tenants, up to each of them, that are not picked yet.
func (p *picking) readEntries(l line, tenants []int64, each int) (map[int64][]inLine, error) {
	before := int64(math.MaxInt64) // also what was stored by a clock that was ahead
	if l == agedLine {
		before = p.now - gateway.BackfillAge.Milliseconds()
	}
	places := make([][3]int64, len(tenants))
	for i, t := range tenants {
		passed := p.passed[l.priority()][t]
		places[i] = [3]int64{t, passed.queuedAt, passed.ID}
	}
	arg, err := encodeList(places)
	if err != nil {
		return nil, err
	}
	rows := make(map[int64][]inLine, len(tenants))
	err = p.eachRow(entriesInLine, []any{p.log, l.priority(), before, arg, each}, func(scan func(...any) error) error {
		var e inLine
		var err error
		e.Entry, err = scanEntry(scan, &e.tenant, &e.queuedAt)
		rows[e.tenant] = append(rows[e.tenant], e)
		return err
	})
	for _, r := range rows {
		slices.SortFunc(r, comparePlaces)
	}
	return rows, err
}

// dealTurns picks up to n of rows, one of each tenant in each round, and returns how many it has picked.
func (p *picking) dealTurns(l line, tenants []int64, rows map[int64][]inLine, n int) (dealt int) {
	for round := 0; dealt < n; round++ {
		before := dealt
		for _, t := range tenants {
			if dealt == n {
				break
			}
			if round >= len(rows[t]) {
				continue
			}
			e := rows[t][round]
			p.picked = append(p.picked, e.Claimed)
			p.passed[l.priority()][t], p.turns.last[l] = e, t
			dealt++
		}
		if dealt == before {
			break
		}
	}
	return dealt
}
