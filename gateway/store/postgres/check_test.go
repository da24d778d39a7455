// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
)

// soundness are counts of what must not be, by what that is.
var soundness = map[string]string{
	"entries that are pending for nobody": `SELECT COUNT(*) FROM entry e WHERE state = 'PENDING' AND NOT EXISTS (SELECT 1 FROM submission_entry se WHERE se.entry = e.id)`,
	"entries without a body":              `SELECT COUNT(*) FROM entry e WHERE NOT EXISTS (SELECT 1 FROM entry_blob b WHERE b.entry = e.id)`,
	"bodies of no entry":                  `SELECT COUNT(*) FROM entry_blob b WHERE NOT EXISTS (SELECT 1 FROM entry e WHERE b.entry = e.id)`,
	"links to no entry":                   `SELECT COUNT(*) FROM submission_entry se WHERE NOT EXISTS (SELECT 1 FROM entry e WHERE se.entry = e.id)`,
	"links of no submission":              `SELECT COUNT(*) FROM submission_entry se WHERE NOT EXISTS (SELECT 1 FROM submission s WHERE se.submission = s.seq)`,
	"submissions without entries":         `SELECT COUNT(*) FROM submission s WHERE NOT EXISTS (SELECT 1 FROM submission_entry se WHERE se.submission = s.seq)`,
	"logged entries without an inclusion": `SELECT COUNT(*) FROM entry e JOIN entry_blob b ON b.entry = e.id 
        WHERE (e.state = 'LOGGED' AND e.log NOT IN (SELECT log FROM own_log)) <> (b.inclusion IS NOT NULL)`,
	"entries of own logs in no queue, or in two": `
        SELECT COUNT(*) FROM entry e JOIN own_log o ON o.log = e.log LEFT JOIN own_record r ON r.entry = e.id LEFT JOIN own_queue q ON q.log = e.log AND q.entry = e.id
        WHERE (r.idx IS NULL) = (q.entry IS NULL) OR (e.state = 'FAILED' AND NOT (o.closed AND COALESCE(r.idx >= o.logged, false))) OR (e.state = 'LOGGED') <> COALESCE(r.idx < o.logged, false) OR e.log_index <> r.idx`,
	"queued entries that are not there": `SELECT COUNT(*) FROM own_queue q WHERE NOT EXISTS (SELECT 1 FROM entry e WHERE e.id = q.entry AND e.log = q.log)`,
	"records behind the last":           `SELECT COUNT(*) FROM own_record r JOIN own_log o ON o.log = r.log WHERE r.idx NOT BETWEEN 0 AND o.size - 1`,
	"cosignatures of no anchor":         `SELECT COUNT(*) FROM own_cosignature c WHERE NOT EXISTS (SELECT 1 FROM own_anchor a WHERE a.log = c.log AND a.size = c.size)`,
	"artifacts that are not their parts": `SELECT COUNT(*) FROM blob b WHERE NOT doomed AND (b.size, b.parts, b.parts - 1)
        IS DISTINCT FROM (SELECT (SUM(length(data))::bigint, COUNT(*)::integer, MAX(part)) FROM blob_part WHERE blob = b.id)`,
	"artifacts of nobody's":   `SELECT COUNT(*) FROM blob_use u WHERE NOT EXISTS (SELECT 1 FROM blob b WHERE b.id = u.blob AND attached AND sha256 IS NOT NULL)`,
	"parts of no artifact":    `SELECT COUNT(*) FROM blob_part p WHERE NOT EXISTS (SELECT 1 FROM blob b WHERE b.id = p.blob)`,
	"entries of retired logs": `SELECT COUNT(*) FROM entry e JOIN log l ON l.id = e.log WHERE l.retired AND e.state = 'PENDING'`,
	"logs whose backlog is wrong": `
SELECT COUNT(*) FROM log l WHERE (SELECT (COUNT(*), COALESCE(SUM(bytes), 0)) FROM entry e WHERE e.log = l.id AND state = 'PENDING')
    <> (SELECT (COALESCE(SUM(entries), 0)::bigint, COALESCE(SUM(bytes), 0)) FROM backlog b WHERE b.log = l.id)`,
}

// checkRows checks that what is stored fits together.
func checkRows(t testing.TB, dsn string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // at the test's end, too
	s, err := OpenBeside(ctx, dsn, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.readTx(ctx, "checking", func(t2 *tx) error {
		for what, query := range soundness {
			var n int
			if err := t2.scanRow(query, nil, &n); err != nil || n != 0 {
				t.Errorf("%d %s, %v", n, what, err)
			}
		}
		if err := checkOwnLogs(t2); err != nil {
			t.Error(err)
		}
		seqs, err := collectColumn[int64](t2, `SELECT seq FROM submission`)
		if err != nil {
			return err
		}
		var states submissionStates
		if err := t2.eachRow(progressOfSubmissions, []any{seqs, nil}, states.scanRow); err != nil {
			return err
		}
		for _, s := range states {
			if want := gateway.StateOf(s.entries, s.needed); s.progress.State != want {
				t.Errorf("submission %d is %s, want %s", s.seq, s.progress.State, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// checkOwnLogs compares the records of all own logs with their tiles, roots and anchors.
func checkOwnLogs(t *tx) error {
	names, err := collectColumn[string](t, `SELECT l.name FROM own_log o JOIN log l ON l.id = o.log`)
	for _, name := range names {
		if err == nil {
			err = checkOwnLog(t, name)
		}
	}
	return err
}

func checkOwnLog(t *tx, name string) error {
	l, err := t.readOwnLog(selectOwnLog, name)
	if err != nil {
		return err
	}
	return store.OwnTree{
		Log: l.OwnLog,
		Leaves: func(from uint64, n int) ([]gateway.LeafHash, error) {
			read, err := collectColumn[[]byte](t, `
SELECT e.leaf_hash FROM own_record r JOIN entry e ON e.id = r.entry AND e.log = r.log
WHERE r.log = $1 AND r.idx BETWEEN $2 AND $2 + $3 - 1 ORDER BY r.idx`, l.row, int64(from), int64(n))
			leaves := make([]gateway.LeafHash, len(read))
			for i, leaf := range read {
				leaves[i] = gateway.LeafHash(leaf)
			}
			return leaves, err
		},
		Tiles: func(tiles []tiletree.Tile) ([][]byte, error) { return t.readTiles(l.row, tiles) },
		NextAnchor: func(size uint64) (a gateway.OwnAnchor, err error) {
			err = t.eachRow(coveringAnchor, []any{name, int64(size)}, func(scan func(...any) error) error { return scanAnchor(scan, &a) })
			return a, err
		},
		CountTiles: func() (tiles, hashes uint64, err error) {
			err = t.scanRow(`SELECT COUNT(*), COALESCE(SUM(length(hashes)), 0) / 32 FROM own_tile WHERE log = $1`, []any{l.row}, &tiles, &hashes)
			return tiles, hashes, err
		},
	}.Check()
}
