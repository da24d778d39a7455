// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// bulkRows is how many rows one statement of a bulkInsert stores. A short row costs less than the statement around it.
const bulkRows = 64

// bulkInsert is an insertion of one row, prepared for that and for bulkRows of them.
type bulkInsert struct {
	columns   int
	one, many *sql.Stmt
}

// prepareBulk prepares query, which inserts one row: its only parameters are those of VALUES.
func prepareBulk(ctx context.Context, db *sql.DB, query string) (bulkInsert, error) {
	const keyword = "VALUES "
	columns := strings.Count(query, "?")
	row := "(?" + strings.Repeat(", ?", columns-1) + ")"
	many := strings.Replace(query, keyword, keyword+strings.Repeat(row+", ", bulkRows-1), 1)
	b := bulkInsert{columns: columns}
	for target, text := range map[**sql.Stmt]string{&b.one: query, &b.many: many} {
		stmt, err := db.PrepareContext(ctx, text)
		if err != nil {
			return bulkInsert{}, fmt.Errorf("preparing %q: %w", text, errors.Join(err, b.closeBulk()))
		}
		*target = stmt
	}
	return b, nil
}

func (b *bulkInsert) closeBulk() error {
	var errs []error
	for _, s := range []*sql.Stmt{b.one, b.many} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// pendingRows are rows on their way into a table. They are there once insertRest has returned.
type pendingRows struct {
	insert *bulkInsert
	args   []any // of the rows that are not inserted yet
}

// insertRow takes a row in, and inserts it with those before it once there are enough.
func (p *pendingRows) insertRow(t *tx, args ...any) error {
	p.args = append(p.args, args...)
	if len(p.args) < bulkRows*p.insert.columns {
		return nil
	}
	_, err := t.bindStmt(p.insert.many).Exec(p.args...)
	clear(p.args)
	p.args = p.args[:0]
	return err
}

// insertRest inserts the rows that are too few for one statement.
func (p *pendingRows) insertRest(t *tx) error {
	for ; len(p.args) > 0; p.args = p.args[p.insert.columns:] {
		if _, err := t.bindStmt(p.insert.one).Exec(p.args[:p.insert.columns]...); err != nil {
			return err
		}
	}
	return nil
}
