// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	driver "modernc.org/sqlite"
)

// checkpointer copies the write-ahead log into the file while others write. SQLite does so within the commit that finds the log long enough
// (wal_autocheckpoint), and whoever commits waits for it, and all behind him. It still does where this one cannot keep up.
// What this one fails at is tried again with the next write, and nothing is lost of it: the log stays as it is.
type checkpointer struct {
	db      *sql.DB // one connection of its own
	writer  *sql.DB
	written chan struct{} // has room for one
	stop    context.CancelFunc
	done    chan struct{} // closed when it has stopped

	mu    sync.Mutex    // guards what follows
	ended chan struct{} // closed at the end of the copying that is under way; nil: none is
	began time.Time     // when that did
}

const (
	// longLog is how many pages that are not copied yet make it copy: half of what SQLite lets them be.
	longLog = 4096
	// slowCopy is for how long writes go on beside one copying. The log would grow without end beside a disk that hangs.
	slowCopy = 500 * time.Millisecond

	measureLog = `PRAGMA wal_checkpoint(NOOP)`
	copyLog    = `PRAGMA wal_checkpoint(PASSIVE)`
)

func startCheckpointer(path string, writer *sql.DB) (*checkpointer, error) {
	connector, err := driver.NewConnector(checkpointDSN(path))
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	c := &checkpointer{db: sql.OpenDB(connector), writer: writer, written: make(chan struct{}, 1), stop: stop, done: make(chan struct{})}
	c.db.SetMaxOpenConns(1)
	go c.copyUntil(ctx)
	return c, nil
}

// closeCheckpointer stops it, and waits for that.
func (c *checkpointer) closeCheckpointer() error {
	c.stop()
	<-c.done
	return c.db.Close()
}

// noteWritten tells that the log has grown.
func (c *checkpointer) noteWritten() {
	if c == nil {
		return
	}
	select {
	case c.written <- struct{}{}:
	default:
	}
}

// awaitSlow returns once no copying is under way that takes long, or ctx ends.
func (c *checkpointer) awaitSlow(ctx context.Context) {
	if c == nil {
		return
	}
	c.mu.Lock()
	ended, began := c.ended, c.began
	c.mu.Unlock()
	if ended == nil || time.Since(began) < slowCopy {
		return
	}
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

func (c *checkpointer) copyUntil(ctx context.Context) {
	defer close(c.done)
	tried := 0 // the log's pages when not all of them could be copied
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.written:
		}
		inLog, copied, err := checkpointLog(ctx, c.db, measureLog)
		if err != nil || inLog-copied < longLog || tried <= inLog && inLog < tried+longLog/4 { // nothing is gained by trying at once again
			continue
		}
		if tried = 0; !c.copyAll(ctx) {
			tried = inLog
		}
	}
}

// copyAll copies what is in the log, and then what came meanwhile, which keeps others from writing for a moment: the next
// write finds the log empty, and begins at its start. It reports whether it could.
func (c *checkpointer) copyAll(ctx context.Context) bool {
	ended := c.noteCopying(make(chan struct{}))
	defer func() { c.noteCopying(nil); close(ended) }()
	if _, _, err := checkpointLog(ctx, c.db, copyLog); err != nil {
		return false
	}
	inLog, copied, err := checkpointLog(ctx, c.writer, copyLog)
	return err == nil && copied == inLog
}

func (c *checkpointer) noteCopying(ended chan struct{}) chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended, c.began = ended, time.Now()
	return ended
}

// checkpointLog runs a query of its kind, and returns how many pages are in the log, and how many of those are copied.
func checkpointLog(ctx context.Context, db *sql.DB, query string) (inLog, copied int, err error) {
	var busy int
	err = db.QueryRowContext(ctx, query).Scan(&busy, &inLog, &copied)
	if err == nil && busy != 0 {
		err = errors.New("another process copies the log")
	}
	return inLog, copied, err
}
