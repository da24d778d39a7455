// SPDX-License-Identifier: Apache-2.0

package postgres

import "github.com/jackc/pgx/v5"

// Whoever stores something for a log, and has read that it is not retired, must have ended before the log is retired:
// what is stored after its pending entries were given up would wait for ever. So it shares a lock with others who
// store, which no row is changed for, and which the one who retires a log has for himself. These locks are taken in
// the order of the logs' rows, before those of entries.
const (
	// retirementLocks is the space of these locks in the database, which others may use, too.
	retirementLocks = 0x72656b72

	shareRetirement = `SELECT pg_advisory_xact_lock_shared($1, l::integer) FROM (SELECT unnest($2::bigint[]) AS l ORDER BY 1) logs`

	ownRetirement = `SELECT pg_advisory_xact_lock($1, $2::bigint::integer)`

	retiredLogs = `SELECT id FROM log WHERE id = ANY($1::bigint[]) AND retired`
)

// queueRetired adds to a batch what keeps logs, by their rows, from being retired until the transaction ends, and
// notes which of them are retired.
func queueRetired(b *pgx.Batch, logs []int64, retired map[int64]bool) {
	b.Queue(shareRetirement, retirementLocks, logs)
	queueEach(b, retiredLogs, []any{logs}, func(scan func(...any) error) error {
		var log int64
		err := scan(&log)
		retired[log] = true
		return err
	})
}

// lockRetirement waits for all who store for a log, and keeps others from it until the transaction ends.
func (t *tx) lockRetirement(log int64) error {
	_, err := t.exec(ownRetirement, retirementLocks, log)
	return err
}
