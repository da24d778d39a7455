// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// explain returns how SQLite will run query, one step a line.
func explain(t *testing.T, s *Store, query string, args ...any) string {
	t.Helper()
	rows, err := s.writer.Query("EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(step + "\n")
	}
	return plan.String()
}

// TestPlans: what runs all the time uses its index, however large the tables are.
func TestPlans(t *testing.T) {
	s := open(t, "", Options{})
	for name, test := range map[string]struct {
		query string
		args  []any
		want  string
	}{
		"turns":       {tenantsInLine, []any{1, 0, 2, 9, 9}, "SEARCH e USING COVERING INDEX entry_queue (log=? AND priority=? AND next_at=? AND tenant>? AND tenant<?)"},
		"first turn":  {tenantsInLine, []any{1, 0, 2, 9, 9}, "SEARCH entry USING COVERING INDEX entry_queue (log=? AND priority=? AND next_at=? AND tenant>? AND tenant<?)"},
		"in line":     {entriesInLine, []any{1, 0, 9, "[]", 9}, "entry USING COVERING INDEX entry_queue (log=? AND priority=? AND next_at=? AND tenant=? AND queued_at>? AND queued_at<?)"},
		"in line ":    {entriesInLine, []any{1, 0, 9, "[]", 9}, "e USING INTEGER PRIMARY KEY (rowid=?)"},
		"any in line": {anyInLine, []any{1, 0}, "SEARCH entry USING COVERING INDEX entry_queue (log=? AND priority=? AND next_at=?)"},
		"any waited":  {anyWaited, []any{1, 2, 3}, "SEARCH entry USING COVERING INDEX entry_queue (log=? AND priority=? AND next_at>? AND next_at<?)"},
		"logs":        {logsOfEntries, []any{"[]"}, "entry USING INTEGER PRIMARY KEY (rowid=?)"},
		"end waits":   {endWaits, []any{1, 2, 3, 4}, "entry USING COVERING INDEX entry_queue (log=? AND priority=? AND next_at>? AND next_at<?)"},
		"leased":      {countLeased, []any{"log", 1}, "entry_leased (log=? AND leased_until>?)"},
		"lease ended": {countLeased, []any{"log", 1}, "entry_leased (log=? AND leased_until>? AND leased_until<?)"},
		"statistics":  {selectStats, []any{1}, "entry_oldest (log=?)"},
		"statistics ": {selectStats, []any{1}, "entry_leased (log=? AND leased_until>?)"},
		"line":        {countLine, []any{1, 0, 9}, "SEARCH entry USING COVERING INDEX entry_queue (log=? AND priority=? AND next_at=?)"},
		"line's age":  {oldestInLine, []any{1, 0, -1, 9, 9}, "SEARCH q USING COVERING INDEX entry_queue (log=? AND priority=? AND next_at=? AND tenant=?)"},
		"stuck":       {selectStats, []any{1}, "e USING INDEX entry_stuck (log=?)"},
		"leaf":        {findEntry, []any{1, []byte("leaf")}, "(log=? AND leaf_hash=?)"},
		"by leaf":     {firstOfLeaf, []any{"log", []byte("leaf"), "tenant"}, "(log=? AND leaf_hash=?)"},
		"extend":      {extendLeases, []any{1, 2, "[]"}, "entry USING INTEGER PRIMARY KEY (rowid=?)"},
		"lease":       {leaseEntries, []any{1, 2, 3, 4, "[]"}, "entry USING INTEGER PRIMARY KEY (rowid=?)"},
		"states":      {progressOfSubmissions, []any{"[]", "[]"}, "s USING INTEGER PRIMARY KEY (rowid=?)"},
		"changed":     {progressOfSubmissions, []any{"[]", "[]"}, "submission_entry USING COVERING INDEX submission_entry_entry (entry=?)"},
		"rows of ids": {rowsOfIDs, []any{"[]"}, "(id=?)"},
		"set state":   {setState, []any{"LOGGED", "[]"}, "submission USING INTEGER PRIMARY KEY (rowid=?)"},
		"hot":         {submissionsBySeq, []any{"[]"}, "s USING INTEGER PRIMARY KEY (rowid=?)"},
		"get":         {ownedSubmission, []any{make([]byte, 16), "tenant"}, "(id=?)"},
		"get all":     {ownedSubmissions, []any{"[]", "tenant"}, "(id=?)"},
		"cold":        {blobsOfSubmissions, []any{"[]"}, "b USING INTEGER PRIMARY KEY (rowid=?)"},
		"receipts":    {receiptsOfSubmissions, []any{"[]"}, "USING INTEGER PRIMARY KEY (rowid=?)"},
		"weights":     {weightsOfSubmissions, []any{"[]"}, "b USING INTEGER PRIMARY KEY (rowid=?)"},
		"unsettled":   {unsettledEntries, []any{"[]"}, "(submission=?)"},
		"doubtful":    {selectDoubtful, []any{"log", 1, 2, "origin", []byte("key"), true, 9}, "d USING COVERING INDEX entry_doubtful (log=? AND id>?)"},
		"lapsed":      {selectDoubtful, []any{"log", 1, 2, "origin", []byte("key"), true, 9}, "d USING INDEX entry_leased (log=? AND leased_until>? AND leased_until<?)"},
		"in doubt":    {countDoubtful, []any{"log", 1, 2}, "d USING COVERING INDEX entry_doubtful (log=? AND id>?)"},
		"found":       {settleFound, []any{1, 2, 3, 4}, "entry USING INTEGER PRIMARY KEY (rowid=?)"},
		"absent":      {settleAbsent, []any{1, 2, 3, 4, false}, "entry USING INTEGER PRIMARY KEY (rowid=?)"},
		"move":        {queueToMove, []any{1, 2, 3, 4}, "e USING COVERING INDEX entry_oldest (log=? AND queued_at>?)"},
		"quota":       {useOfQuota, []any{1, 2, "s"}, "quota_use USING PRIMARY KEY (day=? AND tenant=? AND subject=?)"},
		"old uses":    {dropOldUses, []any{1, 2}, "quota_use USING PRIMARY KEY (day<?)"},
		"waiting":     {countOfSubject, []any{1, "s", 9}, "submission USING COVERING INDEX submission_waiting (tenant=? AND subject=? AND state=?)"},
		"audit":       {listAudit, []any{"tenant", 9, 9}, "audit USING INDEX audit_newest (tenant=? AND rowid<?)"},
		"old audit":   {trimAudit, []any{1, 9}, "SEARCH audit USING INTEGER PRIMARY KEY (rowid<?)"},
		"seen":        {knownDigests, []any{"[]", []byte{}}, "d EXISTS USING PRIMARY KEY (tenant=? AND prefix=?)"},
		"own log":     {selectOwnLog, []any{"log"}, "SEARCH o USING INTEGER PRIMARY KEY (rowid=?)"},
		"last anchor": {selectOwnLog, []any{"log"}, "SEARCH own_anchor USING PRIMARY KEY (log=?)"},
		"queued":      {nextQueued, []any{1, 9}, "SEARCH q USING PRIMARY KEY (log=?)"},
		"queued ":     {nextQueued, []any{1, 9}, "SEARCH e USING INTEGER PRIMARY KEY (rowid=?)"},
		"sequenced":   {dropQueued, []any{1, 9}, "SEARCH own_queue USING PRIMARY KEY (log=? AND entry<?)"},
		"move head":   {moveHead, []any{1, []byte{}, 1, 1}, "SEARCH own_log USING INTEGER PRIMARY KEY (rowid=?)"},
		"tile":        {selectTile, []any{1, 0, 9}, "(log=? AND level=? AND idx=?)"},
		"records":     {bodiesOfRecords, []any{1, 0, 9}, "SEARCH r USING PRIMARY KEY (log=? AND idx>? AND idx<?)"},
		"records ":    {bodiesOfRecords, []any{1, 0, 9}, "SEARCH b USING INTEGER PRIMARY KEY (rowid=?)"},
		"anchor":      {coveringAnchor, []any{"log", 9}, "SEARCH a USING PRIMARY KEY (log=? AND size>?)"},
		"anchored":    {logRecords, []any{1, 0, 9}, "SEARCH r USING PRIMARY KEY (log=? AND idx>? AND idx<?)"},
		"anchored ":   {logRecords, []any{1, 0, 9}, "SEARCH entry USING INTEGER PRIMARY KEY (rowid=?)"},
		"weigh":       {weighRecords, []any{1, 0, 9}, "SEARCH r USING PRIMARY KEY (log=? AND idx>? AND idx<?)"},
		"weigh ":      {weighRecords, []any{1, 0, 9}, "SEARCH e USING INTEGER PRIMARY KEY (rowid=?)"},
		"ended":       {entriesOfRecords, []any{1, 0, 9}, "SEARCH r USING PRIMARY KEY (log=? AND idx>? AND idx<?)"},
		"cosigned":    {isAnchored, []any{1, 9}, "SEARCH own_anchor USING PRIMARY KEY (log=? AND size=?)"},
		"cosigners":   {selectCosignatures, []any{"log", 9}, "SEARCH own_cosignature USING PRIMARY KEY (log=? AND size=?)"},
		"contradicts": {selectContradictions, []any{"log"}, "SEARCH own_contradiction USING PRIMARY KEY (log=?)"},
		"doubted":     {trustOwnLog, []any{"log"}, "SEARCH own_log USING INTEGER PRIMARY KEY (rowid=?)"},
		"part":        {selectPart, []any{[]byte("id"), 1}, "SEARCH blob_part USING INDEX sqlite_autoindex_blob_part_1 (blob=? AND part=?)"},
		"blob":        {blobOfLeaf, []any{[]byte("leaf")}, "SEARCH u USING PRIMARY KEY (leaf_hash=?)"},
		"needed":      {findUnused(), []any{1, 2, 3}, "SEARCH u USING COVERING INDEX blob_use_blob (blob=?)"},
		"needed ":     {findUnused(), []any{1, 2, 3}, "SEARCH e USING INDEX sqlite_autoindex_entry_1 (log=? AND leaf_hash=?)"},
		"parts":       {removeParts, []any{9}, "SEARCH p USING COVERING INDEX sqlite_autoindex_blob_part_1 (blob=?)"},
		"uses":        {removeUses, nil, "SEARCH blob_use USING COVERING INDEX blob_use_blob (blob=?)"},
		"doomed":      {doomUnused(), []any{1, 2, "[]"}, "SEARCH b USING INTEGER PRIMARY KEY (rowid=?)"},
		"removed":     {removeBlobs, nil, "SEARCH p USING COVERING INDEX sqlite_autoindex_blob_part_1 (blob=?)"},
		"open":        {countOpen, nil, "blob USING COVERING INDEX blob_open"},
		"known":       {knownSubmissions, []any{"[]", []byte{}}, "(tenant=? AND key=?)"},
	} {
		plan := explain(t, s, test.query, test.args...)
		sorts := strings.Contains(plan, "TEMP B-TREE") && name != "in doubt" && name != "blob" // those sort no more than is in doubt, or than one entry's artifacts
		if !strings.Contains(plan, test.want) || sorts {
			t.Errorf("%s is run so:\n%swant %s", name, plan, test.want)
		}
	}
}

func TestListPlans(t *testing.T) {
	s := open(t, "", Options{})
	d, g := formats.Digest{Algorithm: formats.SHA256, Value: make([]byte, 32)}, [32]byte{}
	for _, test := range []struct {
		p    gateway.ListParams
		want string
	}{
		{gateway.ListParams{}, "submission_newest (tenant=? AND rowid<?)"},
		{gateway.ListParams{State: gateway.Failed}, "submission_newest_by_state (tenant=? AND state=? AND rowid<?)"},
		{gateway.ListParams{Artifact: &d}, "(tenant=? AND prefix=? AND submission<?)"},
		{gateway.ListParams{Artifact: &d, Signer: &g, State: gateway.Failed}, "(tenant=? AND prefix=? AND submission<?)"},
		{gateway.ListParams{Signer: &g}, "(tenant=? AND prefix=? AND submission<?)"},
		{gateway.ListParams{Signer: &g, State: gateway.Logged}, "(tenant=? AND prefix=? AND submission<?)"},
		{gateway.ListParams{Signer: &g, State: gateway.Failed}, "submission_newest_by_state (tenant=? AND state=? AND rowid<?)"},
	} {
		p, want := test.p, test.want
		query, args, err := listQuery("tenant", p)
		if err != nil {
			t.Fatal(err)
		}
		plan := explain(t, s, query, append(args, 1, 10)...)
		if !strings.Contains(plan, want) || strings.Contains(plan, "TEMP B-TREE") || strings.Contains(plan, "SCAN") {
			t.Errorf("%+v is listed so:\n%swant %s", p, plan, want)
		}
	}
}
