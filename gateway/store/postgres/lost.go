// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

// newestKept says whether the submission that was acknowledged last is there, and when the newest that is there was stored.
const newestKept = `
SELECT EXISTS (SELECT 1 FROM submission WHERE id = $1), COALESCE((SELECT created_at FROM submission ORDER BY seq DESC LIMIT 1), 0)`

// lastStored is the newest submission that this process has stored.
type lastStored struct {
	id uuid.UUID
	at time.Time
}

// lossWatch tells whether a database that comes back has what was acknowledged.
type lossWatch struct {
	logger *slog.Logger
	last   atomic.Pointer[lastStored] // nil: nothing yet
}

// noteStored notes what was acknowledged.
func (w *lossWatch) noteStored(results []gateway.Enqueued) {
	for i := len(results) - 1; i >= 0; i-- {
		s := results[i].Submission
		if results[i].Err != nil || s.Existing {
			continue
		}
		if id, err := uuid.Parse(s.ID); err == nil {
			w.last.Store(&lastStored{id, s.CreatedAt})
		}
		return
	}
}

// tellLoss tells the operator what a database in another life does not have any more, as far as this process can know.
func (w *lossWatch) tellLoss(ctx context.Context, conn *pgx.Conn) error {
	last := w.last.Load()
	if last == nil {
		last = &lastStored{}
	}
	var there bool
	var newest int64
	if err := conn.QueryRow(ctx, newestKept, last.id).Scan(&there, &newest); err != nil {
		if sqlState(err) == undefinedTable {
			return nil
		}
		return err
	}
	kept := describeNewest(newest)
	if !there && last.id != (uuid.UUID{}) {
		w.logger.ErrorContext(ctx, "submissions that were acknowledged are lost: the database is an older state of itself; whoever sent one after newest_kept without a receipt has to send it again",
			kept, "newest_acknowledged", last.at, "submission", last.id)
		return nil
	}
	w.logger.WarnContext(ctx, "the database's server was restarted, taken over from or put back: what was acknowledged after newest_kept, if anything, is lost, and what is pending is looked for in its log before it is sent",
		kept)
	return nil
}

// tellNewest tells the operator how far what is kept reaches: a gateway that starts cannot know whether that is all.
func (s *Store) tellNewest(ctx context.Context) error {
	var there bool
	var newest int64
	if err := s.pool.QueryRow(ctx, newestKept, uuid.UUID{}).Scan(&there, &newest); err != nil {
		return err
	}
	s.opts.Logger.InfoContext(ctx, "store opened", describeNewest(newest), "server", s.incarnation.ID)
	return nil
}

// describeNewest says when the newest submission was stored, in milliseconds; 0: there is none.
func describeNewest(millis int64) slog.Attr {
	const name = "newest_kept"
	if millis == 0 {
		return slog.String(name, "none")
	}
	return slog.Time(name, store.FromMillis(millis))
}
