// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// soundness are counts of what must not be, by what that is.
var soundness = map[string]string{
	"entries that are pending for nobody": `SELECT COUNT(*) FROM entry e WHERE state = 'PENDING' AND NOT EXISTS (SELECT 1 FROM submission_entry se WHERE se.entry = e.id)`,
	"entries without a body":              `SELECT COUNT(*) FROM entry e WHERE NOT EXISTS (SELECT 1 FROM entry_blob b WHERE b.entry = e.id)`,
	"bodies of no entry":                  `SELECT COUNT(*) FROM entry_blob b WHERE NOT EXISTS (SELECT 1 FROM entry e WHERE b.entry = e.id)`,
	"links to no entry":                   `SELECT COUNT(*) FROM submission_entry se WHERE NOT EXISTS (SELECT 1 FROM entry e WHERE se.entry = e.id)`,
	"links of no submission":              `SELECT COUNT(*) FROM submission_entry se WHERE NOT EXISTS (SELECT 1 FROM submission s WHERE se.submission = s.seq)`,
	"submissions without entries":         `SELECT COUNT(*) FROM submission s WHERE NOT EXISTS (SELECT 1 FROM submission_entry se WHERE se.submission = s.seq)`,
	"logged entries without an inclusion": `SELECT COUNT(*) FROM entry e JOIN entry_blob b ON b.entry = e.id WHERE (e.state = 'LOGGED') <> (b.inclusion IS NOT NULL)`,
	"entries of retired logs":             `SELECT COUNT(*) FROM entry e JOIN log l ON l.id = e.log WHERE l.retired AND e.state = 'PENDING'`,
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
