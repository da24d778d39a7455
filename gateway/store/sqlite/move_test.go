// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// moveMutants are what Move could forget.
var moveMutants = mutants{
	"moves what is in doubt":              {&mayMove, "e.in_doubt = 1 OR ", "", "Move/all or none"},
	"moves what is leased":                {&mayMove, "(e.in_doubt = 1 OR e.leased_until > ?6)", "(e.in_doubt = 1 AND e.leased_until <= ?6)", "Move/never from doubt"},
	"never moves what is in doubt":        {&mayMove, "NOT ?5 AND ", "", "Move/back to where it was in doubt"},
	"moves what is there already":         {&mayMove, "e.log = ?3 OR ", "", "Move/there already"},
	"moves what was not planned so":       {&mayMove, "AND j.value = ?7", "", "Move/only what was planned so"},
	"moves only what was planned":         {&mayMove, "(NOT ?4 OR ", "(", "Move/back to where it was in doubt"},
	"moves to what was refused":           {&mayMove, "there.state = 'FAILED'", "there.state = 'NONE'", "Move/to what was refused there"},
	"moves one of several entries":        {&linksToMove, "ORDER BY se.role", "AND e.state = 'PENDING' ORDER BY se.role LIMIT 1", "Move/all or none"},
	"moves only what waits of several":    {&linksToMove, "ORDER BY se.role", "AND e.state = 'PENDING' ORDER BY se.role", "Move/all or none"},
	"leaves the entry to be sent":         {&unlinkedEntry, "state = 'PENDING' AND", "state = 'NONE' AND", "Move/all or none"},
	"takes the entry from others":         {&unlinkedEntry, "AND NOT EXISTS (SELECT 1 FROM submission_entry se WHERE se.entry = e.id)", "", "Move/shared"},
	"makes the entry younger":             {&copyEntry, "e.queued_at", "e.queued_at + 1", "Move/as old"},
	"loses the tenant":                    {&copyEntry, "?3", "?3 * 0", "Move/turns"},
	"loses the priority":                  {&copyEntry, "e.priority", "0", "Move/turns"},
	"forgets where it is in the queue":    {&queueToMove, "(e.queued_at, e.id) > (?, ?)", "(e.queued_at, e.id) > (0 * ?, 0 * ?)", "Move/in pages"},
	"skips what is of the same time":      {&queueToMove, "(e.queued_at, e.id) > (?, ?)", "e.queued_at > ? AND 0 <= ?", "Move/in pages"},
	"passes on what was logged":           {&failedByLog, "AND e.state = 'FAILED')", ")", "Next/refused elsewhere"},
	"passes on what was not planned":      {&mayMove, "EXISTS (SELECT 1 FROM takeover k, json_each(k.logs) j WHERE k.id = s.takeover AND j.value = ?7)", "1", "Move/in pages"},
	"counts what stays as what was moved": {&countWaiting, "COUNT(*)", "0", "Move/all or none"},
}

// TestMoveMutants: a store that forgets a rule of Move fails a test.
func TestMoveMutants(t *testing.T) {
	driver := func(t *testing.T, o storetest.Options) storetest.Opened {
		return storetest.Opened{Store: gateway.Store(open(t, filepath.Join(t.TempDir(), "store.db"), Options{Now: o.Now}))}
	}
	moveMutants.failAll(t, driver, storetest.FailMoving)
}
