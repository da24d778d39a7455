// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// ownMutants are what the side of own logs could forget.
var ownMutants = mutants{
	"knows no own log":                    {&ownLogs, "FROM own_log", "FROM own_log WHERE 0", "Own/added"},
	"takes over another log":              {&isForeignLog, "retired = 1 OR EXISTS (SELECT 1 FROM entry e WHERE e.log = l.id)", "retired = 1", "Own/added"},
	"takes over a retired log":            {&isForeignLog, "retired = 1 OR ", "", "Own/added"},
	"does not see another origin":         {&originOfLog, "WHERE log = ?", "WHERE log = ? AND 0", "Own/added"},
	"knows the first anchor as the last":  {&selectOwnLog, "MAX(size)", "MIN(size)", "Own/anchored"},
	"logs what is not anchored":           {&selectOwnLog, "o.logged, a.size", "o.logged, o.size", "Own/added"},
	"sequences in another order":          {&nextQueued, "ORDER BY q.entry", "ORDER BY e.leaf_hash", "Own/anchored"},
	"sequences the last first":            {&nextQueued, "ORDER BY q.entry", "ORDER BY q.entry DESC", "Own/anchored"},
	"sequences what is of another log":    {&nextQueued, "q.log = ?", "q.log + 0 * ? > 0", "Own/several"},
	"sequences more than it is told":      {&nextQueued, "LIMIT ?", "LIMIT ? + 1", "Own/logged"},
	"skips an index":                      {&insertRecords, "?2 + j.key", "?2 + j.key + 1", "Own/added"},
	"gives an index twice":                {&logRecords, "log_index = r.idx", "log_index = r.idx / 2", "Own/logged"},
	"gives another index than the tree's": {&logRecords, "log_index = r.idx", "log_index = r.idx + 1", "Own/logged"},
	"swaps two records":                   {&insertRecords, "?2 + j.key", "?2 + json_array_length(?3) - 1 - j.key", "Own/anchored"},
	"leaves in the queue what it has":     {&dropQueued, "entry <= ?", "entry < ?", "Own/added"},
	"drops what it has not":               {&dropQueued, "entry <= ?", "entry <= ? + 1", "Own/logged"},
	"keeps the tile as it was":            {&keepTile, "SET hashes = excluded.hashes", "SET hashes = hashes", "Own/logged"},
	"keeps no wider tile":                 {&keepTile, "UPDATE SET hashes = excluded.hashes WHERE length(excluded.hashes) > length(hashes)", "NOTHING", "Own/logged"},
	"narrows a tile":                      {&keepTile, " WHERE length(excluded.hashes) > length(hashes)", "", "Own/undone"},
	"keeps tiles without a head":          {&moveHead, "size = ?1, root = ?2", "size = size + 0 * ?1, root = COALESCE(root, ?2)", "Own/added"},
	"keeps the root of before":            {&moveHead, "root = ?2", "root = COALESCE(root, ?2)", "Own/added"},
	"goes back by one":                    {&moveHead, "size = ?1", "size = ?1 - 1", "Own/added"},
	"reads the tile of another level":     {&selectTile, "level = ?", "level = 0 * ?", "Own/anchored"},
	"reads the tile of another log":       {&selectTile, "log = ?", "log + 0 * ? > 0", "Own/several"},
	"reads records backwards":             {&bodiesOfRecords, "ORDER BY r.idx", "ORDER BY r.idx DESC", "Own/anchored"},
	"reads one record too few":            {&bodiesOfRecords, "r.idx < ?3", "r.idx < ?3 - 1", "Own/added"},
	"anchors once more":                   {&anchorOfSize, "size = ?", "size = ? + 1", "Own/anchored"},
	"covers one record too many":          {&coveringAnchor, "a.size > ?", "a.size >= ?", "Own/anchored"},
	"covers by the largest":               {&coveringAnchor, "ORDER BY a.size", "ORDER BY a.size DESC", "Own/anchored"},
	"covers by another log's":             {&coveringAnchor, "a.log = (SELECT id FROM log WHERE name = ?)", "? <> ''", "Own/anchored"},
	"logs one beyond the anchor":          {&logRecords, "r.idx < ?3", "r.idx <= ?3", "Own/beside others"},
	"logs another log's":                  {&logRecords, "r.log = ?1", "r.log <> ?1", "Own/beside others"},
	"leaves the bytes waiting":            {&weighRecords, "SUM(e.bytes)", "SUM(0)", "Own/logged"},
	"logs the same again":                 {&moveLogged, "logged = ?1 ", "logged = logged + 0 * ?1 ", "Own/beside others"},
	"tells of others":                     {&entriesOfRecords, "r.idx >= ?2", "r.idx >= 0 * ?2", "Own/logged"},
	"closes nothing":                      {&closeOwnLog, "closed = 1", "closed = 0", "Own/all listed"},
	"closes all":                          {&closeOwnLog, "log = ?", "log <> -?", "Own/all listed"},
	"queues records again":                {&queueMoved, "AND NOT EXISTS (SELECT 1 FROM own_record r WHERE r.entry = e.id)", "", "Own/closed, and more"},
	"queues nothing of what goes over":    {&queueMoved, "WHERE e.id = ?", "WHERE e.id = -?", "Own/closed"},
	"takes a closed log for another":      {&originOfLog, "closed", "0", "Own/closed for good"},
	"cosigns what is not anchored":        {&isAnchored, "AND size = ?", "AND size <> 0 * ?", "Own/not cosigned"},
	"keeps the first cosignature":         {&keepCosignature, "WHERE excluded.time >= time", "WHERE 0", "Own/cosigned"},
	"keeps the last cosignature it gets":  {&keepCosignature, "WHERE excluded.time >= time", "WHERE 1", "Own/cosigned"},
	"keeps the line of before":            {&keepCosignature, ", line = excluded.line", "", "Own/cosigned"},
	"reads another log's cosignatures":    {&selectCosignatures, "log = (SELECT id FROM log WHERE name = ?)", "? <> ''", "Own/cosigned"},
	"reads another size's cosignatures":   {&selectCosignatures, "size = ?", "size > 0 * ?", "Own/cosigned"},
	"orders cosignatures by their time":   {&selectCosignatures, "ORDER BY witness", "ORDER BY time DESC", "Own/cosigned"},
	"contradicts for less than before":    {&keepContradiction, "excluded.lasted > lasted", "1", "Own/contradicted"},
	"contradicts no longer than before":   {&keepContradiction, " OR excluded.lasted > lasted", "", "Own/contradicted"},
	"contradicts as before":               {&keepContradiction, "excluded.size <> size OR ", "", "Own/contradicted"},
	"contradicts as large as before":      {&keepContradiction, "size = excluded.size, ", "", "Own/contradicted"},
	"contradicts for ever":                {&dropContradiction, "AND witness = ?", "AND witness = ? AND 0", "Own/contradicted"},
	"drops what another witness says":     {&dropContradiction, "witness = ?", "? <> ''", "Own/contradicted"},
	"drops what is said of another log":   {&dropContradiction, "log = (SELECT id FROM log WHERE name = ?)", "? <> ''", "Own/contradicted"},
	"reads what is said of another log":   {&selectContradictions, "log = (SELECT id FROM log WHERE name = ?)", "? <> ''", "Own/contradicted"},
	"orders contradictions by their size": {&selectContradictions, `ORDER BY witness`, "ORDER BY size DESC", "Own/contradicted"},
	"looks at the same again":             {&keepLook, "UPDATE SET first = excluded.first, next = excluded.next", "UPDATE SET first = first, next = next", "Own/looks"},
	"looks no further than before":        {&keepLook, "OR excluded.first = first AND excluded.next > next", "", "Own/looks"},
	"looks at no more than before":        {&keepLook, "excluded.first < first OR ", "", "Own/looks"},
	"forgets what it has looked at":       {&keepLook, "excluded.first = first AND excluded.next > next", "1", "Own/looks"},
	"leaves something out":                {&keepLook, "excluded.first = first AND", "", "Own/looks"},
	"looks for another log":               {&selectLooks, "l.log = (SELECT id FROM log WHERE name = ?)", "? <> ''", "Own/looks"},
	"lists looks by their keys":           {&selectLooks, "ORDER BY h.origin, h.key_id, l.key", "ORDER BY l.key", "Own/looks"},
	"lists all logs":                      {&listMirrored, "AND e.log IN (SELECT log FROM mirror)", "", "Own/beside others"},
	"lists what failed":                   {&listMirrored, "e.state = 'LOGGED'", "e.state <> ''", "Own/mirror"},
	"lists nothing":                       {&insertMirror, "VALUES (?)", "SELECT ? WHERE 0", "Own/mirror"},
	"lists anchors":                       {&listMirrored, "substr(name, 1, length(?2)) = ?2", "name = ?2", "Own/mirror and anchors"},
	"lists no tenant with colons":         {&listMirrored, "substr(name, 1, length(?2)) = ?2", "instr(name, ?2) > 0", "Own/mirror and anchors"},
	"lists what others listed":            {&selectMirrored, "d.log = (SELECT id FROM log WHERE name = ?)", "? <> ''", "Own/mirror"},
	"lists the last first":                {&selectMirrored, "ORDER BY d.entry", "ORDER BY d.entry DESC", "Own/mirror"},
	"lists more than it is told":          {&selectMirrored, "LIMIT ?", "LIMIT ? + 1", "Own/mirror list"},
	"takes others off the list":           {&dropMirrored, "log = (SELECT id FROM log WHERE name = ?)", "? <> ''", "Own/mirror list"},
	"takes all off the list":              {&dropMirrored, "entry IN (SELECT value FROM json_each(?))", "? <> ''", "Own/mirror list"},
	"takes nothing off the list":          {&dropMirrored, "entry IN", "-entry IN", "Own/mirror list"},
	"claims what is its own":              {&writableLog, " AND id NOT IN (SELECT log FROM own_log)", "", "Own/never sent"},
}

// TestOwnMutants: a store that forgets a rule of own logs fails a test.
func TestOwnMutants(t *testing.T) {
	driver := func(t *testing.T, o storetest.Options) storetest.Opened {
		path := filepath.Join(t.TempDir(), "store.db")
		opts := Options{Now: o.Now}
		return storetest.Opened{
			Store: gateway.Store(open(t, path, opts)), HideCold: func() func() { return hideCold(t, path) },
			Another: func() gateway.Store { return open(t, path, opts) },
		}
	}
	if failed := storetest.FailOwn(t, driver, ""); failed != "" {
		t.Fatalf("a good store fails %q", failed)
	}
	ownMutants.failAll(t, driver, storetest.FailOwn)
}

// fillOwn makes a store with an own log of 600 records, of which 300 are logged and 512 anchored, and 3 entries more that are queued.
func fillOwn(t *testing.T, path string) {
	t.Helper()
	s, err := Open(t.Context(), path, Options{})
	if err == nil {
		err = s.AddOwnLog(t.Context(), "own", "own.example")
	}
	if err != nil {
		t.Fatal(err)
	}
	var subs []gateway.NewSubmission
	for i := range 603 {
		subs = append(subs, storetest.NewSubmission("a", fmt.Sprint(i), "own"))
	}
	if _, err := s.Enqueue(t.Context(), subs); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{300, 212, 88} {
		l, _, err := s.Sequence(t.Context(), "own", n, storetest.GrowTree)
		if err == nil && l.Tree.Size <= 512 {
			err = s.KeepAnchor(t.Context(), "own", gateway.OwnAnchor{Tree: l.Tree, Submission: "anchor"})
		}
		if err == nil && l.Tree.Size == 300 {
			_, err = s.LogAnchored(t.Context(), "own", 300)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCheckOwn: whatever of an own log is not as it was written, a check finds it.
func TestCheckOwn(t *testing.T) {
	const off = `PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; `
	flip := func(table, column, where string) string {
		return fmt.Sprintf(`UPDATE %[1]s SET %[2]s = CAST(substr(%[2]s, 1, length(%[2]s) - 1) || CASE WHEN substr(%[2]s, -1) = x'00' THEN x'01' ELSE x'00' END AS BLOB) WHERE %[3]s`, table, column, where)
	}
	for name, change := range map[string]string{
		"root":                     flip("own_log", "root", "1"),
		"head went back":           `UPDATE own_log SET size = 599`,
		"head without records":     `UPDATE own_log SET size = 601`,
		"more are logged":          `UPDATE own_log SET logged = 301`,
		"fewer are logged":         `UPDATE own_log SET logged = 299`,
		"logged beyond anchor":     `UPDATE own_log SET logged = 600; UPDATE entry SET state = 'LOGGED', log_index = id - 1 WHERE id <= 600`,
		"last record":              `DELETE FROM own_record WHERE idx = 599`,
		"record between":           `DELETE FROM own_record WHERE idx = 77`,
		"record behind":            `INSERT INTO own_record SELECT log, 600, 601 FROM own_log`,
		"swapped records":          `UPDATE own_record SET entry = 9999 WHERE idx = 400; UPDATE own_record SET entry = 401 WHERE idx = 500; UPDATE own_record SET entry = 501 WHERE idx = 400`,
		"leaf":                     flip("entry", "leaf_hash", "id = 450"),
		"tile":                     flip("own_tile", "hashes", "level = 0 AND idx = 1"),
		"tile of the second level": flip("own_tile", "hashes", "level = 1"),
		"tile is gone":             `DELETE FROM own_tile WHERE level = 0 AND idx = 2`,
		"tile too many":            `INSERT INTO own_tile SELECT log, 0, 3, root FROM own_log`,
		"tile too wide":            `UPDATE own_tile SET hashes = CAST(hashes || substr(hashes, 1, 32) AS BLOB) WHERE level = 0 AND idx = 2`,
		"tile too narrow":          `UPDATE own_tile SET hashes = substr(hashes, 1, length(hashes) - 32) WHERE level = 0 AND idx = 2`,
		"anchor":                   flip("own_anchor", "root", "size = 300"),
		"cosignature of no anchor": `INSERT INTO own_cosignature SELECT log, 301, 'w', 1, 'x' FROM own_log`,
		"anchor of the future":     `INSERT INTO own_anchor SELECT log, 601, root, 'x' FROM own_log`,
		"entry in no queue":        `DELETE FROM own_queue WHERE entry = 602`,
		"record in the queue":      `INSERT INTO own_queue SELECT log, 5 FROM own_log`,
		"nothing in the queue":     `INSERT INTO own_queue SELECT log, 9999 FROM own_log`,
		"index":                    `UPDATE entry SET log_index = 8 WHERE id = 8`,
		"given up":                 `UPDATE entry SET state = 'FAILED' WHERE id = 601; UPDATE log SET pending = pending - 1, pending_bytes = pending_bytes - (SELECT bytes FROM entry WHERE id = 601)`,
		"inclusion":                `UPDATE entry_blob SET inclusion_kind = 'x', inclusion = x'01' WHERE entry = 1`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store.db")
			fillOwn(t, path)
			if _, err := Check(t.Context(), path); err != nil {
				t.Fatal(err)
			}
			change := off + change
			if _, err := connect(t, stagingDSN(path)).Exec(change); err != nil {
				t.Fatal(err)
			}
			_, err := Check(t.Context(), path)
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("error %v", err)
			}
			t.Log(err)
		})
	}
}
