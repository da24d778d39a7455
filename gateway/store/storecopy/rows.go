// SPDX-License-Identifier: Apache-2.0

package storecopy

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// row has the values of a table's columns: int64, bool, string, []byte, [16]byte or nil.
type row []any

// key returns the values of t's key.
func (t *table) keyOf(r row) []any { return r[:len(t.key)] }

// source reads rows of a SQLite store.
type source struct{ db *sql.DB }

// readAfter returns up to limit rows behind the one with a key, nil for the first ones; fewer where they are large, but one at least
// while there is one.
func (s source) readAfter(ctx context.Context, t *table, after []any, limit int) ([]row, error) {
	query, args := `SELECT `+t.expressions()+` FROM `+t.name, []any(nil)
	if after != nil {
		query += ` WHERE (` + t.order("") + `) > (?` + strings.Repeat(", ?", len(t.key)-1) + `)`
		args = after
	}
	rows, err := s.db.QueryContext(ctx, query+` ORDER BY `+t.order("")+` LIMIT ?`, append(args[:len(args):len(args)], limit)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err says what went wrong
	var all []row
	for size := 0; size < bytesPerBatch && rows.Next(); {
		r := make(row, len(t.columns))
		into := make([]any, len(r))
		for i := range r {
			into[i] = &r[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		if err := t.convert(r); err != nil {
			return nil, err
		}
		all = append(all, r)
		size += r.size()
	}
	return all, rows.Err()
}

// size returns about how many bytes of memory r takes.
func (r row) size() (n int) {
	for _, v := range r {
		n += 16
		switch v := v.(type) {
		case []byte:
			n += len(v)
		case string:
			n += len(v)
		}
	}
	return n
}

// convert makes of SQLite's values those that PostgreSQL gives back.
func (t *table) convert(r row) error {
	for i, c := range t.columns {
		if r[i] == nil {
			continue
		}
		switch v := r[i].(type) {
		case int64:
			if c.kind == truth {
				r[i] = v != 0
			}
		case []byte:
			if c.kind == id {
				if len(v) != 16 {
					return fmt.Errorf("%s.%s is of %d bytes", t.name, c.name, len(v))
				}
				r[i] = [16]byte(v)
			}
		}
	}
	return nil
}

// target writes and reads rows of a PostgreSQL store.
type target struct{ pool *pgxpool.Pool }

// readAfter returns up to limit rows behind the one with a key, nil for the first ones.
func (d target) readAfter(ctx context.Context, t *table, after []any, limit int) ([]row, error) {
	query, args := `SELECT `+t.names()+` FROM `+t.name, []any(nil)
	if after != nil {
		places := make([]string, len(t.key))
		for i := range places {
			places[i] = fmt.Sprintf("$%d", i+1)
		}
		query += ` WHERE (` + t.order(` COLLATE "C"`) + `) > (` + strings.Join(places, ", ") + `)`
		args = after
	}
	rows, err := d.pool.Query(ctx, fmt.Sprintf(`%s ORDER BY %s LIMIT %d`, query, t.order(` COLLATE "C"`), limit), args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (row, error) {
		values, err := r.Values()
		for i, v := range values {
			if n, ok := v.(int32); ok {
				values[i] = int64(n)
			}
		}
		return values, err
	})
}

// lastKey returns the key of the last row that is there, nil where there is none.
func (d target) lastKey(ctx context.Context, t *table) ([]any, error) {
	order := strings.Split(t.order(` COLLATE "C"`), ", ")
	rows, err := d.pool.Query(ctx, `SELECT `+t.names()+` FROM `+t.name+` ORDER BY `+strings.Join(order, " DESC, ")+` DESC LIMIT 1`)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) ([]any, error) { return r.Values() })
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return t.keyOf(all[0]), nil
}

// write stores rows, all or none.
func (d target) write(ctx context.Context, t *table, rows []row) error {
	var names []string
	for _, c := range t.columns {
		names = append(names, c.name)
	}
	if t.fork {
		names = append(names, "pair")
	}
	_, err := d.pool.CopyFrom(ctx, pgx.Identifier{t.name}, names, pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
		if t.fork {
			return append(rows[i][:len(rows[i]):len(rows[i])], pairOf(t, rows[i])), nil
		}
		return rows[i], nil
	}))
	return err
}

// pairOf names the two checkpoints of a fork: SHA-256 over both envelopes, each behind its length in 8 bytes.
func pairOf(t *table, r row) []byte {
	h := sha256.New()
	for i, c := range t.columns {
		if c.name == "small_envelope" || c.name == "large_envelope" {
			envelope, _ := r[i].([]byte)
			h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(envelope))))
			h.Write(envelope)
		}
	}
	return h.Sum(nil)
}

// sameRows reports whether two rows have the same values.
func sameRows(a, b row) bool { return reflect.DeepEqual(a, b) }
