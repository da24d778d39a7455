// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

// Leases and due times go by a clock that nobody sets: the time since the machine's boot, which all of
// its processes have in common, plus an offset that is stored with the boot's name when the file is first
// opened in a boot. Where a machine does not tell, the clock of the wall is taken.

// bootClock is the time since a machine's boot.
type bootClock struct {
	id      string // names the boot; "" is not known
	elapsed func() time.Duration
}

// queueClock is the clock of a store. It is set up once, by Open.
type queueClock struct {
	boot   bootClock
	offset int64 // of a known boot, in milliseconds: the time is boot.elapsed plus this
	// since is when this clock began. What happened before it, by another boot's clock or by one that was
	// set meanwhile, is a time that nobody can vouch for.
	since int64
}

const (
	selectClock = `SELECT boot, time_offset, since FROM clock`

	setClock = `INSERT INTO clock (id, boot, time_offset, since) VALUES (1, ?1, ?2, ?3)
ON CONFLICT DO UPDATE SET boot = excluded.boot, time_offset = excluded.time_offset, since = excluded.since`

	// Times of another clock may be far in the future of this one: a lease, or a wait, would not end.
	rebaseTimes = `
UPDATE entry SET leased_until = MIN(leased_until, ?1 + ?2), next_at = MIN(next_at, ?1 + ?3), last_sent_at = MIN(last_sent_at, ?1)
WHERE state = 'PENDING' AND (leased_until > ?1 + ?2 OR next_at > ?1 + ?3 OR last_sent_at > ?1)`
)

// The longest that a lease and a wait of another clock are taken for.
const (
	longestLease = time.Minute
	longestWait  = 10 * time.Minute
)

// now is the time of the queue in the form it is stored.
func (s *Store) now() int64 {
	if s.clock.boot.id == "" {
		return store.Millis(s.opts.Now())
	}
	return s.clock.boot.elapsed().Milliseconds() + s.clock.offset
}

// setUpClock takes up the clock of this boot where it was begun already, and begins it otherwise.
func (s *Store) setUpClock(ctx context.Context) error {
	s.clock.boot = s.opts.boot
	return s.writeTx(ctx, "setting up the clock", func(t *tx) error {
		var boot string
		err := t.QueryRow(selectClock).Scan(&boot, &s.clock.offset, &s.clock.since)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err == nil && boot != "" && boot == s.clock.boot.id {
			return nil
		}
		known := err == nil
		if err := s.beginClock(t); err != nil || !known {
			return err
		}
		_, err = t.Exec(rebaseTimes, s.clock.since, longestLease.Milliseconds(), longestWait.Milliseconds())
		return err
	})
}

func (s *Store) beginClock(t *tx) error {
	c := &s.clock
	c.since, c.offset = store.Millis(s.opts.Now()), 0
	if c.boot.id != "" {
		c.offset = c.since - c.boot.elapsed().Milliseconds()
	}
	_, err := t.Exec(setClock, c.boot.id, c.offset, c.since)
	return err
}

// measureSince returns how long ago at was, at least. What was before this clock began counts from there
// on.
func (c *queueClock) measureSince(at, now int64) time.Duration {
	return time.Duration(max(0, now-max(at, c.since))) * time.Millisecond
}
