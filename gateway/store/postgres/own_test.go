// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
)

// ownMutants are what the side of own logs could forget.
var ownMutants = mutants{
	"knows no own log":                    {&ownLogs, "WHERE log", "WHERE -log", "Own/added"},
	"moves what is its own":               {&ownNames, "WHERE l.name", "WHERE 'x' || l.name", "Own/never sent"},
	"takes over another log":              {&isForeignLog, "retired OR EXISTS (SELECT 1 FROM entry e WHERE e.log = l.id)", "retired", "Own/added"},
	"takes over a retired log":            {&isForeignLog, "retired OR ", "", "Own/added"},
	"does not see another origin":         {&originOfLog, "WHERE log = $1", "WHERE log = -$1", "Own/added"},
	"knows the first anchor as the last":  {&lastAnchor, "ORDER BY a.size DESC", "ORDER BY a.size", "Own/anchored"},
	"logs what is not anchored":           {&lastAnchor, "SELECT a.size", "SELECT (SELECT o.size FROM own_log o WHERE o.log = a.log)", "Own/beside others"},
	"does not wait for others":            {&lockOwnLog, " FOR NO KEY UPDATE", "", "Own/at once"},
	"queues all":                          {&insertQueued, "unnest($1::bigint[], $2::bigint[])", "unnest($1::bigint[], $2::bigint[]) UNION SELECT log, id FROM entry", "Own/sequenced"},
	"sequences the last first":            {&nextQueued, "ORDER BY q.entry", "ORDER BY q.entry DESC", "Own/anchored"},
	"sequences what is of another log":    {&nextQueued, "q.log = $1", "q.log + 0 * $1 > 0", "Own/several"},
	"sequences more than it is told":      {&nextQueued, "LIMIT $2", "LIMIT $2::bigint + 1", "Own/logged"},
	"skips an index":                      {&insertRecords, "d.at - 1", "d.at", "Own/added"},
	"gives an index twice":                {&logEntries, "log_index = d.idx", "log_index = d.idx / 2", "Own/logged"},
	"gives another index than the tree's": {&logEntries, "log_index = d.idx", "log_index = d.idx + 1", "Own/logged"},
	"swaps records":                       {&insertRecords, "d.at - 1", "cardinality($3::bigint[]) - d.at", "Own/anchored"},
	"leaves in the queue what it has":     {&dropQueued, "AND entry = ANY($2::bigint[])", "AND entry = ANY($2::bigint[]) AND false", "Own/added"},
	"keeps the tile as it was":            {&keepTiles, "SET hashes = excluded.hashes", "SET hashes = t.hashes", "Own/logged"},
	"narrows a tile":                      {&keepTiles, " WHERE length(excluded.hashes) > length(t.hashes)", "", "Own/undone"},
	"keeps tiles without a head":          {&moveHead, "size = $1, root = $2", "size = size + 0 * $1, root = COALESCE(root, $2)", "Own/added"},
	"keeps the root of before":            {&moveHead, "root = $2", "root = COALESCE(root, $2)", "Own/added"},
	"goes back by one":                    {&moveHead, "size = $1", "size = $1::bigint - 1", "Own/added"},
	"reads the tile of another level":     {&selectTiles, "t.level = d.level", "t.level = 0", "Own/anchored"},
	"reads the tile of another log":       {&selectTiles, "t.log = $1", "t.log + 0 * $1 > 0", "Own/several"},
	"reads records backwards":             {&bodiesOfRecords, "ORDER BY r.idx", "ORDER BY r.idx DESC", "Own/anchored"},
	"anchors once more":                   {&anchorOfSize, "size = $2", "size = $2::bigint + 1", "Own/anchored"},
	"covers one record too many":          {&coveringAnchor, "a.size > $2", "a.size >= $2", "Own/anchored"},
	"covers by the largest":               {&coveringAnchor, "ORDER BY a.size", "ORDER BY a.size DESC", "Own/anchored"},
	"covers by another log's":             {&coveringAnchor, "a.log = (SELECT id FROM log WHERE name = $1)", "$1::text <> ''", "Own/anchored"},
	"logs other records":                  {&entriesOfRecords, "r.idx >= $2", "r.idx > $2", "Own/beside others"},
	"leaves the bytes waiting":            {&logEntries, "RETURNING e.bytes", "RETURNING 0", "Own/logged"},
	"logs the same again":                 {&moveLogged, "logged = $1 ", "logged = logged + 0 * $1::bigint ", "Own/beside others"},
	"closes nothing":                      {&closeOwnLog, "closed = true", "closed = false", "Own/all listed"},
	"closes all":                          {&closeOwnLog, "log = $1", "log <> -$1", "Own/all listed"},
	"queues records again":                {&queueMoved, "AND NOT EXISTS (SELECT 1 FROM own_record r WHERE r.entry = e.id)", "", "Own/closed, and more"},
	"queues nothing of what goes over":    {&queueMoved, "WHERE e.id", "WHERE -e.id", "Own/closed"},
	"removes what is a record":            {&unlinkedEntries, "EXISTS (SELECT 1 FROM own_record r WHERE r.entry = e.id)", "false", "Own/closed"},
	"takes a closed log for another":      {&originOfLog, "closed", "false", "Own/closed for good"},
	"lists logs twice":                    {&namesOfOwnLogs, "JOIN log l ON l.id = o.log", "JOIN log l ON l.id = o.log CROSS JOIN (VALUES (1), (2)) twice", "Own/all listed"},
	"cosigns what is not anchored":        {&isAnchored, "AND size = $2", "AND size <> 0 * $2::bigint", "Own/not cosigned"},
	"keeps the first cosignature":         {&keepCosignature, "WHERE excluded.time >= c.time", "WHERE false", "Own/cosigned"},
	"keeps the last cosignature it gets":  {&keepCosignature, " WHERE excluded.time >= c.time", "", "Own/cosigned"},
	"keeps the line of before":            {&keepCosignature, ", line = excluded.line", "", "Own/cosigned"},
	"reads another log's cosignatures":    {&selectCosignatures, "log = (SELECT id FROM log WHERE name = $1)", "$1::text <> ''", "Own/cosigned"},
	"reads another size's cosignatures":   {&selectCosignatures, "size = $2", "size > 0 * $2::bigint", "Own/cosigned"},
	"orders cosignatures by their time":   {&selectCosignatures, `ORDER BY witness COLLATE "C"`, "ORDER BY time DESC", "Own/cosigned"},
	"contradicts for less than before":    {&keepContradiction, "excluded.lasted > c.lasted", "true", "Own/contradicted"},
	"contradicts no longer than before":   {&keepContradiction, " OR excluded.lasted > c.lasted", "", "Own/contradicted"},
	"contradicts as before":               {&keepContradiction, "excluded.size <> c.size OR ", "", "Own/contradicted"},
	"contradicts as large as before":      {&keepContradiction, "size = excluded.size, ", "", "Own/contradicted"},
	"contradicts for ever":                {&dropContradiction, "AND witness = $2", "AND witness = $2 AND false", "Own/contradicted"},
	"drops what another witness says":     {&dropContradiction, "witness = $2", "$2::text <> ''", "Own/contradicted"},
	"drops what is said of another log":   {&dropContradiction, "log = (SELECT id FROM log WHERE name = $1)", "$1::text <> ''", "Own/contradicted"},
	"reads what is said of another log":   {&selectContradictions, "log = (SELECT id FROM log WHERE name = $1)", "$1::text <> ''", "Own/contradicted"},
	"orders contradictions by their size": {&selectContradictions, `ORDER BY witness COLLATE "C"`, "ORDER BY size DESC", "Own/contradicted"},
	"lists all logs":                      {&listMirrored, "AND e.log IN (SELECT log FROM mirror)", "", "Own/mirror"},
	"lists nothing":                       {&insertMirror, "VALUES ($1)", "SELECT $1::bigint WHERE false", "Own/mirror"},
	"lists anchors":                       {&listMirrored, "starts_with(t.name, $2)", "t.name = $2", "Own/mirror and anchors"},
	"lists no tenant with colons":         {&listMirrored, "starts_with(t.name, $2)", "strpos(t.name, $2) > 0", "Own/mirror and anchors"},
	"lists what others listed":            {&selectMirrored, "d.log = (SELECT id FROM log WHERE name = $1)", "$1::text <> ''", "Own/mirror"},
	"lists the last first":                {&selectMirrored, "ORDER BY d.entry", "ORDER BY d.entry DESC", "Own/mirror"},
	"lists more than it is told":          {&selectMirrored, "LIMIT $2", "LIMIT $2 + 1", "Own/mirror list"},
	"takes others off the list":           {&dropMirrored, "log = (SELECT id FROM log WHERE name = $1)", "$1::text <> ''", "Own/mirror list"},
	"takes all off the list":              {&dropMirrored, "entry = ANY($2::bigint[])", "$2::bigint[] IS NOT NULL", "Own/mirror list"},
	"takes nothing off the list":          {&dropMirrored, "entry = ANY", "-entry = ANY", "Own/mirror list"},
	"looks at the same again":             {&keepLook, "UPDATE SET first = excluded.first, next = excluded.next", "UPDATE SET first = l.first, next = l.next", "Own/looks"},
	"looks no further than before":        {&keepLook, "OR excluded.first = l.first AND excluded.next > l.next", "", "Own/looks"},
	"looks at no more than before":        {&keepLook, "excluded.first < l.first OR ", "", "Own/looks"},
	"forgets what it has looked at":       {&keepLook, "excluded.first = l.first AND excluded.next > l.next", "true", "Own/looks"},
	"leaves something out":                {&keepLook, "excluded.first = l.first AND", "", "Own/looks"},
	"looks for another log":               {&selectLooks, "l.log = (SELECT id FROM log WHERE name = $1)", "$1::text <> ''", "Own/looks"},
	"lists looks by their keys":           {&selectLooks, `ORDER BY h.origin COLLATE "C", h.key_id, l.key`, "ORDER BY l.key", "Own/looks"},
	"claims what is its own":              {&writableLog, " AND id NOT IN (SELECT log FROM own_log)", "", "Own/never sent"},
}

// TestOwnMutants: a store that forgets a rule of own logs fails a test.
func TestOwnMutants(t *testing.T) {
	driver := func(t *testing.T, o storetest.Options) storetest.Opened {
		dsn := newDatabase(t)
		opts := Options{Now: o.Now}
		return storetest.Opened{
			Store: open(t, dsn, opts), HideCold: func() func() { return hideCold(t, dsn) },
			Another: func() gateway.Store { return open(t, dsn, opts) },
		}
	}
	if failed := storetest.FailOwn(t, driver, ""); failed != "" {
		t.Fatalf("a good store fails %q", failed)
	}
	ownMutants.failAll(t, driver, storetest.FailOwn)
}

// TestSequencedMeanwhile: an entry with a lower number than those that are being sequenced, whose transaction ends meanwhile, is next.
func TestSequencedMeanwhile(t *testing.T) {
	dsn := newDatabase(t)
	s, conn := open(t, dsn, Options{}), connect(t, dsn)
	run := func(query string) {
		t.Helper()
		if tag, err := conn.Exec(t.Context(), query); err != nil || tag.RowsAffected() != 1 {
			t.Fatalf("%s: %v, %v", query, tag, err)
		}
	}
	if err := s.AddOwnLog(t.Context(), "own", "own.example"); err != nil {
		t.Fatal(err)
	}
	var subs []gateway.NewSubmission
	for _, name := range []string{"late", "first", "second"} {
		subs = append(subs, storetest.NewSubmission("a", name, "own"))
	}
	if _, err := s.Enqueue(t.Context(), subs); err != nil {
		t.Fatal(err)
	}
	run(`DELETE FROM own_queue WHERE entry = (SELECT MIN(id) FROM entry)`) // as while it is not committed
	_, n, err := s.Sequence(t.Context(), "own", 9, func(old tiletree.Tree, leaves []gateway.LeafHash, read tiletree.ReadTiles) (tiletree.Tree, []tiletree.TileData, error) {
		run(`INSERT INTO own_queue (log, entry) SELECT log, MIN(id) FROM entry GROUP BY log`)
		return storetest.GrowTree(old, leaves, read)
	})
	if err != nil || n != 2 {
		t.Fatalf("%d sequenced, %v", n, err)
	}
	if _, n, err = s.Sequence(t.Context(), "own", 9, storetest.GrowTree); err != nil || n != 1 {
		t.Fatalf("%d sequenced later, %v", n, err)
	}
	bodies, err := s.OwnRecords(t.Context(), "own", 0, 9)
	if err != nil || len(bodies) != 3 || string(bodies[2]) != "body of late" {
		t.Errorf("the records are %q, %v", bodies, err)
	}
}

// TestOwnLogInAnotherLife: after a restart no index is given before a gateway has said that the store may be trusted.
func TestOwnLogInAnotherLife(t *testing.T) {
	server := postgrestest.NewServer(t)
	one, two := open(t, server.DSN("postgres"), Options{}), open(t, server.DSN("postgres"), Options{})
	again := func(call func() error) error { // connections to the server before may break first
		for deadline := time.Now().Add(20 * time.Second); ; {
			if err := call(); !errors.Is(err, gateway.ErrStoreUnavailable) || time.Now().After(deadline) {
				return err
			}
		}
	}
	sequence := func(s *Store, want int) error {
		return again(func() error {
			_, n, err := s.Sequence(t.Context(), "own", 1, storetest.GrowTree)
			if err == nil && n != want {
				err = fmt.Errorf("%d sequenced, want %d", n, want)
			}
			return err
		})
	}
	trust := func(s *Store) error {
		return again(func() error {
			n, err := s.DoubtPending(t.Context(), "own", gateway.Shard{})
			if n != 0 {
				err = fmt.Errorf("%d in doubt, %w", n, err)
			}
			return err
		})
	}
	err := one.AddOwnLog(t.Context(), "own", "own.example")
	if err == nil {
		_, err = one.Enqueue(t.Context(), []gateway.NewSubmission{
			storetest.NewSubmission("a", "1", "own"), storetest.NewSubmission("a", "2", "own"), storetest.NewSubmission("a", "3", "own"),
		})
	}
	if err := errors.Join(err, sequence(one, 1), server.Kill(), server.Restart()); err != nil {
		t.Fatal(err)
	}
	look := func(s *Store, to uint64) error {
		return again(func() error {
			return s.KeepLooks(t.Context(), "own", []gateway.OwnLook{{Shard: gateway.Shard{Origin: "log"}, To: to}})
		})
	}
	wantDoubted := func(s *Store, want bool) {
		t.Helper()
		var l gateway.OwnLog
		if err := again(func() (err error) { l, err = s.OwnLog(t.Context(), "own"); return err }); err != nil || l.Doubted != want {
			t.Errorf("the log is %+v, %v, want it doubted: %v", l, err, want)
		}
	}
	anchor := func(s *Store) error {
		return again(func() error {
			stored, err := s.Enqueue(t.Context(), []gateway.NewSubmission{storetest.NewSubmission(gateway.AnchorTenant("own"), "anchor", "log")})
			if err == nil {
				err = stored[0].Err
			}
			return err
		})
	}
	for _, s := range []*Store{one, two} {
		wantDoubted(s, true)
		if err := anchor(s); !errors.Is(err, gateway.ErrDoubtFirst) {
			t.Errorf("an anchor of another life is stored: %v", err)
		}
		if err := trust(s); err != nil { // what was looked at may be the one before
			t.Error(err)
		}
		if err := look(s, 1); !errors.Is(err, gateway.ErrDoubtFirst) { // as before
			t.Errorf("what was looked at in another life is noted: %v", err)
		}
		wantDoubted(s, true)
		if err := sequence(s, 0); !errors.Is(err, gateway.ErrDoubtFirst) {
			t.Errorf("sequenced after a restart: %v", err)
		}
	}
	if err := errors.Join(look(two, 1), trust(two), sequence(one, 1), sequence(two, 1), sequence(one, 0), look(one, 2), anchor(one)); err != nil {
		t.Fatal(err)
	}
	wantDoubted(one, false)
	if err := errors.Join(server.Kill(), server.Restart()); err != nil {
		t.Fatal(err)
	}
	three := open(t, server.DSN("postgres"), Options{}) // as a gateway that starts
	if err := errors.Join(three.AddOwnLog(t.Context(), "own", "own.example"), trust(three), sequence(three, 0)); err != nil {
		t.Error(err)
	}
}
