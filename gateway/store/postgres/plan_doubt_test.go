// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// TestPlansOfDoubt: what settles, moves and lists reads no table from end to end.
func TestPlansOfDoubt(t *testing.T) {
	conn := connect(t, newDatabase(t))
	if _, err := conn.Exec(t.Context(), fillRows); err != nil {
		t.Fatal(err)
	}
	type planned struct {
		query string
		args  []any
		want  []string
	}
	list, hash := "'{1}'", "'x'"
	plans := map[string]planned{
		"doubtful":     {selectDoubtful, []any{"'a'", 200, 0, "'a'", hash, true, 9}, []string{"entry_doubtful", "entry_leased"}},
		"count":        {countDoubtful, []any{"'a'", 200}, []string{"entry_doubtful", "entry_leased"}},
		"leased":       {anyLeased, []any{1, 2, 3}, []string{"entry_leased"}},
		"pending":      {pendingPage, []any{1, 0, 0, 9}, []string{"entry_oldest"}},
		"doubt":        {doubtPending, []any{list, 1, 1}, []string{"entry_pkey"}},
		"doubt former": {doubtFormer, []any{list, 1, 1, 1, 1, 1}, []string{"entry_pkey"}},
		"lock":         {lockEntries, []any{list}, []string{"entry_pkey"}},
		"found":        {settleFound, []any{list, list}, []string{"entry_pkey"}},
		"keep found":   {keepFound, []any{list, list, list}, []string{"entry_blob_pkey"}},
		"absent":       {settleAbsent, []any{list, list, "'{f}'"}, []string{"entry_pkey"}},
		"leaf":         {firstOfLeaf, []any{"'a'", hash, "'t1'"}, []string{"entry_log_leaf_hash_key", "submission_entry_entry"}},
		"owned":        {ownedSubmission, []any{"gen_random_uuid()", "'t1'"}, []string{"submission_id_key"}},
		"owned, all":   {ownedSubmissions, []any{"ARRAY[gen_random_uuid()]", "'t1'"}, []string{"submission_id_key"}},
		"archived":     {blobsOfSubmissions, []any{"ARRAY[1]"}, []string{"submission_entry_pkey", "entry_blob_pkey"}},
		"receipts":     {receiptsOfSubmissions, []any{"ARRAY[1]"}, []string{"submission_blob_pkey"}},
		"weights":      {weightsOfSubmissions, []any{"ARRAY[1]"}, []string{"submission_entry_pkey", "entry_blob_pkey"}},
		"attested":     {entriesWithBodies, []any{list}, []string{"entry_pkey", "entry_blob_pkey"}},
		"queue":        {queueToMove, []any{1, 0, 0, 9}, []string{"entry_oldest"}},
		"submissions":  {submissionsOf, []any{list}, []string{"submission_entry_entry"}},
		"lock to move": {lockToMove, []any{list, 1, 2}, []string{"submission_entry_pkey", "entry_pkey", "entry_log_leaf_hash_key"}},
		"may move":     {mayMove, []any{list, 1, 2, true, false, 1, "'b'", list, false}, []string{"submission_pkey", "submission_entry_pkey"}},
		"links":        {linksToMove, []any{list, 1}, []string{"submission_entry_pkey", "entry_pkey"}},
		"copy":         {copyEntries, []any{1, list, list}, []string{"entry_pkey", "entry_blob_pkey"}},
		"targets":      {targetsOfMove, []any{1, list}, []string{"entry_pkey", "entry_log_leaf_hash_key"}},
		"unlinked":     {unlinkedEntries, []any{list}, []string{"entry_pkey", "submission_entry_entry"}},
		"failed":       {failedByLog, []any{list, 1}, []string{"submission_entry_entry", "submission_pkey"}},
	}
	digest := formats.Digest{Algorithm: formats.SHA256, Value: make([]byte, 32)}
	for name, p := range map[string]struct {
		params gateway.ListParams
		want   string
	}{
		"list":                      {gateway.ListParams{}, "submission_newest"},
		"list logged":               {gateway.ListParams{State: gateway.Logged}, "submission_newest"},
		"list pending":              {gateway.ListParams{State: gateway.Pending}, "submission_newest_by_state"},
		"list of artifact":          {gateway.ListParams{Artifact: &digest}, "submission_digest_pkey"},
		"list of signer":            {gateway.ListParams{Signer: new([32]byte)}, "submission_signer"},
		"list of signer and state":  {gateway.ListParams{Signer: new([32]byte), State: gateway.Failed}, "submission_newest_by_state"},
		"list of artifact, failed":  {gateway.ListParams{Artifact: &digest, State: gateway.Failed}, "submission_digest_pkey"},
		"list of artifact, unknown": {gateway.ListParams{Artifact: &digest, State: "NONE"}, "submission_digest_pkey"},
	} {
		q, err := newListQuery("t1", p.params)
		if err != nil {
			t.Fatal(err)
		}
		text, args := q.endPage(1000, 9)
		for i, a := range args {
			switch a.(type) {
			case string:
				args[i] = fmt.Sprintf("'%s'", a)
			case []byte:
				args[i] = hash
			}
		}
		plans[name] = planned{text, args, []string{p.want}}
	}
	for name, p := range plans {
		plan := explain(t, conn, p.query, p.args...)
		for _, line := range strings.Split(plan, "\n") {
			if strings.Contains(line, "Seq Scan on entry ") || strings.Contains(line, "Seq Scan on submission ") || strings.Contains(line, "Seq Scan on submission_entry ") || strings.Contains(line, "Seq Scan on entry_blob ") {
				t.Errorf("%s reads a whole table:\n%s", name, plan)
			}
		}
		for _, index := range p.want {
			if !strings.Contains(plan, index) {
				t.Errorf("%s does not use %s:\n%s", name, index, plan)
			}
		}
	}
}
