// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// moveMutants are what Move could forget.
var moveMutants = map[string]struct {
	query    *string
	old, new string
}{
	"moves what is in doubt":              {&mayMove, "e.in_doubt = 1 OR ", ""},
	"moves what is leased":                {&mayMove, "(e.in_doubt = 1 OR e.leased_until > ?6)", "(e.in_doubt = 1 AND e.leased_until <= ?6)"},
	"never moves what is in doubt":        {&mayMove, "NOT ?5 AND ", ""},
	"moves what is there already":         {&mayMove, "e.log = ?3 OR ", ""},
	"moves what was not planned so":       {&mayMove, "AND j.value = ?7", ""},
	"moves only what was planned":         {&mayMove, "(NOT ?4 OR ", "("},
	"moves to what was refused":           {&mayMove, "there.state = 'FAILED'", "there.state = 'NONE'"},
	"moves one of several entries":        {&linksToMove, "ORDER BY se.role", "AND e.state = 'PENDING' ORDER BY se.role LIMIT 1"},
	"moves only what waits of several":    {&linksToMove, "ORDER BY se.role", "AND e.state = 'PENDING' ORDER BY se.role"},
	"leaves the entry to be sent":         {&unlinkedEntry, "state = 'PENDING' AND", "state = 'NONE' AND"},
	"takes the entry from others":         {&unlinkedEntry, "AND NOT EXISTS (SELECT 1 FROM submission_entry se WHERE se.entry = e.id)", ""},
	"makes the entry younger":             {&copyEntry, "e.queued_at", "e.queued_at + 1"},
	"loses the tenant":                    {&copyEntry, "?3", "?3 * 0"},
	"loses the priority":                  {&copyEntry, "e.priority", "0"},
	"forgets where it is in the queue":    {&queueToMove, "(e.queued_at, e.id) > (?, ?)", "(e.queued_at, e.id) > (0 * ?, 0 * ?)"},
	"skips what is of the same time":      {&queueToMove, "(e.queued_at, e.id) > (?, ?)", "e.queued_at > ? AND 0 <= ?"},
	"passes on what was logged":           {&failedByLog, "AND e.state = 'FAILED')", ")"},
	"passes on what was not planned":      {&mayMove, "EXISTS (SELECT 1 FROM takeover k, json_each(k.logs) j WHERE k.id = s.takeover AND j.value = ?7)", "1"},
	"counts what stays as what was moved": {&countWaiting, "COUNT(*)", "0"},
}

// TestMoveMutants: a store that forgets a rule of Move fails a test.
func TestMoveMutants(t *testing.T) {
	driver := func(t *testing.T, o storetest.Options) storetest.Opened {
		return storetest.Opened{Store: gateway.Store(open(t, filepath.Join(t.TempDir(), "store.db"), Options{Now: o.Now}))}
	}
	for name, m := range moveMutants {
		t.Run(name, func(t *testing.T) {
			good := *m.query
			t.Cleanup(func() { *m.query = good })
			if *m.query = strings.Replace(good, m.old, m.new, 1); *m.query == good {
				t.Fatal("the query has no such part")
			}
			if failed := storetest.FailMoving(t, driver); failed == "" {
				t.Error("passes")
			}
		})
	}
}
