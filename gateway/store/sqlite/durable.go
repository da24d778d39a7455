// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
)

// moveLog copies the write-ahead log into the file, syncs that, and empties the log. It keeps others from writing while it waits
// for readers, and so must not wait.
const (
	neverWait = `PRAGMA busy_timeout(0)`
	moveLog   = `PRAGMA wal_checkpoint(TRUNCATE)`
	waitAgain = `PRAGMA busy_timeout(` + busyTimeout + `)`
)

// makeDurable has the disk hold what a former process left in the write-ahead log.
//
// When a sync fails, Linux takes what was not written for clean: it is read back from memory, and no later
// sync writes it. SQLite does not rely on such a transaction while a process lives: it reports the error, and writes the
// same place of the log anew with the next transaction. But a process that opens the file after a crash takes all for
// committed that it reads in the log. What it commits after that would be behind a gap on the disk, and be
// lost with the machine's power although it was synced. So at each opening the pages are written anew, to the file
// itself, and nothing is left in the log. Where another process has the file open, it has done so.
func makeDurable(ctx context.Context, db *sql.DB, path string) error {
	moved, err := tryMoveLog(ctx, db)
	if err != nil {
		return fmt.Errorf("moving the write-ahead log into the store: %w", err)
	}
	if !moved {
		return nil
	}
	if err := syncFile(path + "-wal"); !errors.Is(err, fs.ErrNotExist) { // it is empty: what was in it must not come back
		return err
	}
	return nil
}

// tryMoveLog moves the log, unless another process is at work on the file.
func tryMoveLog(ctx context.Context, db *sql.DB) (moved bool, err error) {
	conn, err := connectFirst(ctx, db)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err := conn.ExecContext(ctx, neverWait); err != nil {
		return false, err
	}
	var busy, inLog, copied int
	err = conn.QueryRowContext(ctx, moveLog).Scan(&busy, &inLog, &copied)
	if isBusy(err) {
		busy, err = 1, nil
	}
	_, again := conn.ExecContext(ctx, waitAgain)
	return busy == 0, errors.Join(err, again)
}
