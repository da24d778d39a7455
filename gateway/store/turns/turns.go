// SPDX-License-Identifier: Apache-2.0

// Package turns chooses which entries a claim takes. Each tenant with something in a line gives its oldest entry,
// again and again, until there are enough. Whose turn it was last is known to one process alone, which is fair
// enough: after a restart the round begins anew, and several processes go their rounds side by side.
//
// It knows no database: a store shows it the lines as a Source.
package turns

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Line is where entries wait for their tenants' turns.
type Line int

// The lines. AgedLine is of what stands in BackfillLine, what has waited for gateway.BackfillAge.
const (
	InteractiveLine Line = iota
	BackfillLine
	AgedLine
	lines
)

// Priority is that of the entries of a line.
func (l Line) Priority() gateway.Priority {
	if l == InteractiveLine {
		return gateway.Interactive
	}
	return gateway.Backfill
}

// agedLook is how many tenants at least are looked at for backfill that is old. Among many whose backfill is fresh, the old one would
// not have its share else where a claim takes few.
const agedLook = 1024

// Place is up to where a tenant's entries were picked: the last one's QueuedAt and ID, or zeros.
type Place struct{ Tenant, QueuedAt, ID int64 }

// Entry is a sendable entry and its place. Tenant is a row of the store, and QueuedAt milliseconds by its clock.
type Entry struct {
	gateway.Claimed
	Tenant, QueuedAt int64
}

func comparePlaces(a, b Entry) int {
	return cmp.Or(cmp.Compare(a.QueuedAt, b.QueuedAt), cmp.Compare(a.ID, b.ID))
}

// Source shows the lines of one log, within the transaction that leases what is picked.
type Source interface {
	// AnyInLine reports whether anything in the line is sendable.
	AnyInLine(p gateway.Priority) (bool, error)

	// ListTenants returns the rows of up to n tenants that have something in the line, from after, and without it, up
	// to upTo, in order.
	ListTenants(p gateway.Priority, after, upTo int64, n int) ([]int64, error)

	// ReadEntries returns, by tenant and in any order, up to each of the oldest sendable entries behind each of
	// places, without their bodies, of those that were queued up to before. It may pass over those that another
	// transaction is about to lease, and over the last of places once it has wanted entries in all, where each is 1.
	ReadEntries(p gateway.Priority, before int64, places []Place, each, wanted int) (map[int64][]Entry, error)
}

// turns are whose turn it was in each line of a log.
type turns struct {
	last [lines]int64 // tenants' rows
	// owed counts what was claimed since backfill that is old had its share.
	owed int
}

// Rotation has the turns of all logs, by their rows. In an empty one nobody had a turn.
type Rotation struct {
	mu    sync.Mutex // guards turns
	turns map[int64]turns
}

func (r *Rotation) readTurns(log int64) turns {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.turns[log]
}

func (r *Rotation) keepTurns(log int64, t turns) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.turns == nil {
		r.turns = make(map[int64]turns)
	}
	r.turns[log] = t
}

// picking is the choice of what one claim takes.
type picking struct {
	source Source
	now    int64
	turns  turns // after this choice
	picked []gateway.Claimed
	passed map[gateway.Priority]map[int64]Place // up to where was picked, by tenant
}

// Pick returns up to limit sendable entries of a log, those to send first first, without their bodies. now is by the
// store's clock, in milliseconds. The caller calls keep once the entries are leased.
func (r *Rotation) Pick(source Source, log, now int64, limit int) (picked []gateway.Claimed, keep func(), err error) {
	p := &picking{source: source, now: now, turns: r.readTurns(log), passed: map[gateway.Priority]map[int64]Place{
		gateway.Interactive: {}, gateway.Backfill: {},
	}}
	p.turns.owed += limit
	share := p.turns.owed / gateway.BackfillShare
	backfill, err := source.AnyInLine(gateway.Backfill) // looking whose it is costs more than asking that
	if err != nil {
		return nil, nil, err
	}
	if backfill {
		if err := p.takeTurns(AgedLine, share); err != nil {
			return nil, nil, err
		}
	}
	p.turns.owed -= gateway.BackfillShare * len(p.picked)
	if len(p.picked) < share { // what nobody asked for is not owed later
		p.turns.owed = 0
	}
	if err := p.takeTurns(InteractiveLine, limit-len(p.picked)); err != nil {
		return nil, nil, err
	}
	if backfill {
		if err := p.takeTurns(BackfillLine, limit-len(p.picked)); err != nil {
			return nil, nil, err
		}
	}
	return p.picked, func() { r.keepTurns(log, p.turns) }, nil
}

// takeTurns picks n entries of a line: one of each tenant in it, in the order of their rows after the one whose
// turn was last, then another one of each.
func (p *picking) takeTurns(l Line, n int) error {
	if n <= 0 {
		return nil
	}
	look := n
	if l == AgedLine {
		look = max(n, agedLook)
	}
	tenants, err := p.listTenants(l, look)
	if err != nil || len(tenants) == 0 {
		return err
	}
	end := tenants[len(tenants)-1]
	for n > 0 && len(tenants) > 0 {
		each := (n + len(tenants) - 1) / len(tenants)
		rows, err := p.readEntries(l, tenants, each, n)
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
func (p *picking) listTenants(l Line, n int) ([]int64, error) {
	last := p.turns.last[l]
	all, err := p.source.ListTenants(l.Priority(), math.MinInt64, math.MaxInt64, n+1)
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
	tenants, err := p.source.ListTenants(l.Priority(), last, math.MaxInt64, n)
	if err != nil || len(tenants) == n {
		return tenants, err
	}
	more, err := p.source.ListTenants(l.Priority(), math.MinInt64, last, n-len(tenants))
	return append(tenants, more...), err
}

// readEntries returns the oldest entries of each of the tenants, up to each of them, that are not picked yet.
func (p *picking) readEntries(l Line, tenants []int64, each, wanted int) (map[int64][]Entry, error) {
	before := int64(math.MaxInt64) // also what was stored by a clock that was ahead
	if l == AgedLine {
		before = p.now - gateway.BackfillAge.Milliseconds()
	}
	places := make([]Place, len(tenants))
	for i, t := range tenants {
		places[i] = p.passed[l.Priority()][t]
		places[i].Tenant = t
	}
	rows, err := p.source.ReadEntries(l.Priority(), before, places, each, wanted)
	for _, r := range rows {
		slices.SortFunc(r, comparePlaces)
	}
	return rows, err
}

// dealTurns picks up to n of rows, one of each tenant in each round, and returns how many it has picked.
func (p *picking) dealTurns(l Line, tenants []int64, rows map[int64][]Entry, n int) (dealt int) {
	there := 0
	for _, r := range rows {
		there += len(r)
	}
	p.picked = slices.Grow(p.picked, min(n, there))
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
			e.Yields = l == BackfillLine
			p.picked = append(p.picked, e.Claimed)
			p.passed[l.Priority()][t] = Place{Tenant: t, QueuedAt: e.QueuedAt, ID: e.ID}
			p.turns.last[l] = t
			dealt++
		}
		if dealt == before {
			break
		}
	}
	return dealt
}
