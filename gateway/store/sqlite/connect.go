// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"

	"github.com/cenkalti/backoff/v5"
)

// connectFirst makes the connection that gives a new file its write-ahead log. When several processes do so at the same time,
// SQLite tells all but one that the file is locked, whatever its busy_timeout: none of them could go on while the others wait.
func connectFirst(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	return backoff.Retry(ctx, func() (*sql.Conn, error) {
		conn, err := db.Conn(ctx)
		if err != nil && !isBusy(err) {
			err = backoff.Permanent(err)
		}
		return conn, err
	}, askForLock(), backoff.WithMaxElapsedTime(defaultPatience))
}
