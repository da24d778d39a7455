// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"strings"
	"testing"
)

// TestStateIsChecked: no other states than there are can be stored, and no row that is stored has a table made for that check.
func TestStateIsChecked(t *testing.T) {
	s := open(t, "", Options{})
	for table, columns := range map[string]string{
		"submission": "id, tenant, key, format, needed, priority, created_at, digests, signatures, labels, state) VALUES (zeroblob(16), 1, zeroblob(32), '', 1, 0, 0, x'', x'', '{}', ",
		"entry":      "log, leaf_hash, kind, priority, queued_at, state) VALUES (1, zeroblob(32), '', 0, 0, ",
	} {
		insert := "INSERT INTO " + table + " (" + columns
		if _, err := s.writer.Exec("PRAGMA foreign_keys = OFF; " + insert + "'SENT')"); err == nil || !strings.Contains(err.Error(), "CHECK") {
			t.Errorf("%s: another state: %v", table, err)
		}
		if _, err := s.writer.Exec(insert + "'PENDING')"); err != nil {
			t.Errorf("%s: PENDING: %v", table, err)
		}
		if steps := explainSteps(t, s, insert+"'PENDING')"); steps["OpenEphemeral"] > 0 || steps["Insert"] == 0 {
			t.Errorf("%s: a row makes a table: %v", table, steps)
		}
	}
}

// explainSteps returns how often each of SQLite's operations stands in the program of query.
func explainSteps(t *testing.T, s *Store, query string) map[string]int {
	t.Helper()
	rows, err := s.writer.Query("EXPLAIN " + query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	steps := map[string]int{}
	for rows.Next() {
		var name string
		var other any
		if err := rows.Scan(&other, &name, &other, &other, &other, &other, &other, &other); err != nil {
			t.Fatal(err)
		}
		steps[name]++
	}
	return steps
}
