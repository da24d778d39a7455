// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// fillRows is what a store has after a while: 100,000 submissions of 50 tenants, each with an entry of its own, of which one in
// twenty is pending; some of those are leased, in doubt, or wait for their time.
const fillRows = `
INSERT INTO tenant (name) SELECT 't' || i FROM generate_series(1, 50) i;
INSERT INTO log (name) VALUES ('a'), ('b');
INSERT INTO shard (origin, key_id) VALUES ('a', sha256('a'));
INSERT INTO submission (id, tenant, key, format, state, needed, priority, created_at, digests, signatures, labels)
SELECT gen_random_uuid(), 1 + i % 50, sha256(i::text::bytea), 'pgp', CASE WHEN i % 20 = 0 THEN 'PENDING' ELSE 'LOGGED' END, 1, -(i % 2), i, '', '', '{}'
FROM generate_series(1, 100000) i;
INSERT INTO entry (log, tenant, leaf_hash, kind, state, priority, queued_at, log_index, leased_until, in_doubt, next_at, attempts, shard)
SELECT 1 + i % 2, 1 + i % 50, sha256(i::text::bytea), 'hashedrekord', CASE WHEN i % 20 = 0 THEN 'PENDING' ELSE 'LOGGED' END, -(i / 20 % 2), i,
    CASE WHEN i % 20 <> 0 THEN i END, CASE WHEN i % 1000 = 0 THEN 100 ELSE 0 END, i % 500 = 0, CASE WHEN i % 700 = 0 THEN 50 ELSE 0 END,
    CASE WHEN i % 5000 = 0 THEN 10 ELSE 1 END, 1
FROM generate_series(1, 100000) i;
INSERT INTO submission_entry (submission, role, entry) SELECT seq, 0, seq FROM submission;
INSERT INTO submission_digest SELECT tenant, substr(sha256(seq::text::bytea), 1, 16), seq FROM submission;
INSERT INTO submission_blob (submission, receipt) SELECT seq, 'receipt' FROM submission;
INSERT INTO entry_blob (entry, body) SELECT id, 'body' FROM entry;
INSERT INTO quota_use (day, tenant, subject, submissions, bytes) SELECT 1, 1 + i % 50, 'signer ' || i % 1000, 1, 100 FROM generate_series(1, 20000) i;
UPDATE submission SET subject = 'caller' WHERE seq % 40 = 0;
INSERT INTO audit (tenant, at, event, submission, caller, address, request, reason) SELECT 1 + i % 50, i, 'ACCEPTED', i, '', '', '', '' FROM generate_series(1, 50000) i;
INSERT INTO own_log (log, origin, root, size) VALUES (1, 'own', sha256('a'), 40000);
INSERT INTO own_record (log, idx, entry) SELECT 1, i - 1, i FROM generate_series(1, 40000) i;
INSERT INTO own_queue (log, entry) SELECT 1, i FROM generate_series(40001, 80000) i;
INSERT INTO own_tile (log, level, idx, hashes) SELECT 1, 0, i, sha256('a') FROM generate_series(1, 20000) i;
INSERT INTO own_anchor (log, size, root, submission) SELECT 1, i, sha256('a'), 'x' FROM generate_series(1, 20000) i;
INSERT INTO own_look (log, shard, key, first, next) SELECT i, 1, sha256(i::text::bytea), 0, i FROM generate_series(1, 20000) i;
INSERT INTO own_contradiction (log, witness, size, lasted) SELECT i, 'w', 1, 1 FROM generate_series(1, 20000) i;
INSERT INTO mirror (log) VALUES (1);
INSERT INTO mirror_due (log, entry) SELECT 1 + i % 2, i FROM generate_series(1, 20000) i;
INSERT INTO own_cosignature (log, size, witness, time, line) SELECT 1, i, 'w', 1, 'x' FROM generate_series(1, 20000) i;
INSERT INTO blob (id, size, parts, attached, touched_at, sha256) SELECT substr(sha256(i::text::bytea), 1, 16), 1, 1, true, 0, sha256('a') FROM generate_series(1, 20000) i;
INSERT INTO blob_part (blob, part, data) SELECT id, 0, 'a' FROM blob;
INSERT INTO blob_use (leaf_hash, blob, place) SELECT sha256(i::text::bytea), substr(sha256(i::text::bytea), 1, 16), 0 FROM generate_series(1, 20000) i;
INSERT INTO backlog (log, entries, bytes) SELECT 1 + i % 2, i % 7 - 3, 100 FROM generate_series(1, 200) i;
ANALYZE`

// explain returns how PostgreSQL will run a query, whatever its arguments are.
func explain(t *testing.T, conn *pgx.Conn, query string, args ...any) string {
	t.Helper()
	begun, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer begun.Rollback(t.Context())
	if _, err := begun.Exec(t.Context(), `SET LOCAL plan_cache_mode = force_generic_plan`); err != nil {
		t.Fatal(err)
	}
	if _, err := begun.Prepare(t.Context(), "explained", query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer conn.Deallocate(t.Context(), "explained")
	var literals []string
	for _, a := range args {
		literals = append(literals, fmt.Sprint(a))
	}
	execute := "EXPLAIN EXECUTE explained"
	if len(literals) > 0 {
		execute += " (" + strings.Join(literals, ", ") + ")"
	}
	rows, err := begun.Query(t.Context(), execute, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatalf("%s: %v", execute, err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", execute, err)
	}
	return strings.Join(lines, "\n")
}

// inOrder are the queries whose rows come in the order of an index, since there may be many.
var inOrder = map[string]bool{"turns": true, "in line": true, "end waits": true, "line's age": true, "audit": true, "queued": true, "records": true, "anchor": true, "last anchor": true, "ended": true}

// TestPlans: what runs all the time uses its index, however large the tables are.
func TestPlans(t *testing.T) {
	conn := connect(t, newDatabase(t))
	if _, err := conn.Exec(t.Context(), fillRows); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		query string
		args  []any
		want  []string
	}{
		"any in line": {anyInLine, []any{1, 0}, []string{"entry_queue"}},
		"turns":       {tenantsInLine, []any{1, 0, 2, 9, 9}, []string{"entry_queue"}},
		"in line":     {entriesInLine, []any{1, 0, 9, "'{1,2}'", "'{0,0}'", "'{0,0}'", 9, 9}, []string{"entry_queue"}},
		"end waits":   {endWaits, []any{1, 0, 9, 9}, []string{"entry_queue", "entry_pkey"}},
		"leased":      {countLeased, []any{1, 9}, []string{"entry_leased"}},
		"lease":       {leaseEntries, []any{1, 2, 3, 4, "'{1,2}'"}, []string{"entry_pkey"}},
		"bodies":      {bodiesOfEntries, []any{"'{1,2}'"}, []string{"entry_blob_pkey"}},
		"lock":        {lockByID, []any{"'{1,2}'"}, []string{"entry_pkey"}},
		"extend":      {extendLeases, []any{"'{1,2}'", "'{1,2}'", 1, 2}, []string{"entry_pkey"}},
		"finish":      {finishEntries, []any{"'{1}'", "'{1}'", "'{LOGGED}'", "'{1}'", "'{x}'", "'{0}'", "'{f}'", 1, "'{f}'"}, []string{"entry_pkey"}},
		"inclusions":  {keepInclusions, []any{"'{1}'", "'{x}'", "'{x}'", "'{x}'"}, []string{"entry_blob_pkey"}},
		"statistics":  {selectStats, []any{1}, []string{"entry_leased", "entry_oldest", "entry_stuck"}},
		"line":        {countLine, []any{1, 0, 9}, []string{"entry_queue"}},
		"line's age":  {oldestInLine, []any{1, 0, -1, 9, 9}, []string{"entry_queue"}},
		"known":       {knownSubmissions, []any{"'{1}'", "'{x}'"}, []string{"submission_tenant_key_key"}},
		"unsettled":   {unsettledEntries, []any{"'{1}'"}, []string{"submission_entry_pkey", "submission_pkey", "entry_pkey"}},
		"shared":      {lockSharedEntries, []any{"'{1}'", "'{x}'", "'{1}'"}, []string{"entry_log_leaf_hash_key", "entry_pkey"}},
		"weigh":       {weighEntries, []any{"'{1}'", "'{x}'"}, []string{"entry_log_leaf_hash_key"}},
		"touch":       {touchEntries, []any{"'{1}'", "'{1}'", "'{1}'", "'{1}'", "'{f}'", 1}, []string{"entry_pkey"}},
		"lock states": {lockSubmissions, []any{"'{1}'", "'{1}'"}, []string{"submission_pkey", "submission_entry_entry"}},
		"states":      {progressOfSubmissions, []any{"'{1}'", "'{1}'"}, []string{"submission_pkey", "submission_entry_entry", "entry_pkey"}},
		"progress":    {progressOfIDs, []any{"'{}'"}, []string{"submission_id_key", "entry_pkey"}},
		"set states":  {setStates, []any{"'{1}'", "'{x}'"}, []string{"submission_pkey"}},
		"hot":         {submissionsBySeq, []any{"'{1}'"}, []string{"submission_pkey"}},
		"quotas":      {usesOfQuotas, []any{1, "'{1}'", "'{x}'", "'{1}'"}, []string{"quota_use_subject", "submission_waiting"}},
		"sum of uses": {sumUpUses, []any{9, 1}, []string{"quota_use_pkey"}},
		"audit":       {listAudit, []any{"'t1'", 9, 9}, []string{"audit_newest"}},
		"old audit":   {trimAudit, []any{1, 9}, []string{"audit_pkey"}},
		"queued":      {nextQueued, []any{1, 9}, []string{"own_queue_pkey"}},
		"leaves":      {leavesOfEntries, []any{"'{1,2}'"}, []string{"entry_pkey"}},
		"sequenced":   {dropQueued, []any{1, "'{1,2}'"}, []string{"own_queue_pkey"}},
		"tiles":       {selectTiles, []any{1, "'{0,1}'", "'{1,2}'"}, []string{"own_tile_pkey"}},
		"records":     {bodiesOfRecords, []any{1, 0, 9}, []string{"own_record_pkey", "entry_blob_pkey"}},
		"last anchor": {lastAnchor, []any{"'a'"}, []string{"own_anchor_pkey"}},
		"anchor":      {coveringAnchor, []any{"'a'", 9}, []string{"own_anchor_pkey"}},
		"cosigned":    {isAnchored, []any{1, 9}, []string{"own_anchor_pkey"}},
		"cosigners":   {selectCosignatures, []any{"'a'", 9}, []string{"own_cosignature_pkey"}},
		"contradicts": {selectContradictions, []any{"'a'"}, []string{"own_contradiction_pkey"}},
		"looks":       {selectLooks, []any{"'a'"}, []string{"own_look_pkey"}},
		"mirrored":    {selectMirrored, []any{"'a'", 9}, []string{"mirror_due_pkey", "entry_pkey", "entry_blob_pkey"}},
		"listed":      {listMirrored, []any{"'{1,2}'", "'x'"}, []string{"entry_pkey"}},
		"off list":    {dropMirrored, []any{"'a'", "'{1,2}'"}, []string{"mirror_due_pkey"}},
		"ended":       {entriesOfRecords, []any{1, 0, 9}, []string{"own_record_pkey"}},
		"anchored":    {logEntries, []any{"'{1}'", "'{1}'"}, []string{"entry_pkey"}},
		"part":        {selectPart, []any{"'x'", 1}, []string{"blob_part_pkey"}},
		"blob":        {blobOfLeaf, []any{"'x'"}, []string{"blob_use_pkey", "blob_pkey"}},
		"attach":      {attachBlob, []any{"'x'", "'x'", 1}, []string{"blob_pkey"}},
		"use":         {useBlob, []any{"'{x}'", "'x'"}, []string{"blob_use_pkey"}},
		"uses":        {removeUses, []any{"'{x}'"}, []string{"blob_use_blob"}},
		"parts":       {removeParts, []any{"'{x}'", 9}, []string{"blob_part_pkey"}},
		"entries":     {entriesOfSubmissions, []any{"'{1}'"}, []string{"submission_entry_pkey", "entry_pkey"}},
	} {
		plan := explain(t, conn, test.query, test.args...)
		if inOrder[name] && strings.Contains(plan, "Sort") {
			t.Errorf("%s sorts:\n%s", name, plan)
		}
		for _, table := range []string{"entry", "submission", "submission_entry", "entry_blob", "quota_use", "audit", "own_queue", "own_record", "own_tile", "own_anchor", "own_cosignature", "own_contradiction", "own_look", "mirror_due", "blob_part", "blob_use"} {
			for _, line := range strings.Split(plan, "\n") {
				if strings.Contains(line, "Seq Scan on "+table) && !strings.Contains(line, "Seq Scan on "+table+"_") {
					t.Errorf("%s scans %s:\n%s", name, table, plan)
				}
			}
		}
		for _, index := range test.want {
			if !strings.Contains(plan, index+" on ") && !strings.Contains(plan, "on "+index+" ") {
				t.Errorf("%s does not use %s:\n%s", name, index, plan)
			}
		}
	}
}
