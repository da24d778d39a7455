package postgres

import (
	"errors"

	"github.com/jackc/pgx/v5"
)

func (t *tx) findWritable(name string) (log int64, err error) {
	err = t.scanRow(`SELECT id FROM log WHERE name = $1 AND NOT retired`, []any{name}, &log)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	return log, err
}
