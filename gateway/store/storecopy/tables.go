// SPDX-License-Identifier: Apache-2.0

package storecopy

import (
	"strings"
)

// table is what is copied of one table, in the order of its key.
type table struct {
	name    string
	key     []string // of the columns, the first ones
	columns []column
	fork    bool // rows get a column more, derived of them
}

// column is one that both stores have.
type column struct {
	name string
	from string // expression in the source; "" is the column itself
	kind kind
}

// kind is how a value of SQLite's is PostgreSQL's.
type kind int

const (
	integer kind = iota
	truth        // 0 or 1
	text
	octets
	id // 16 bytes
)

func ints(names ...string) []column  { return columnsOf(integer, names) }
func texts(names ...string) []column { return columnsOf(text, names) }
func blobs(names ...string) []column { return columnsOf(octets, names) }

func columnsOf(k kind, names []string) []column {
	all := make([]column, len(names))
	for i, n := range names {
		all[i] = column{name: n, kind: k}
	}
	return all
}

func join(parts ...[]column) (all []column) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// tables are all that is copied. Nobody has a lease any more: what was under way is in doubt. Nothing waits for
// its time, which was that of another clock.
var tables = []table{
	{name: "tenant", key: []string{"id"}, columns: join(ints("id"), texts("name"))},
	{name: "shard", key: []string{"id"}, columns: join(ints("id"), texts("origin"), blobs("key_id"))},
	{name: "log", key: []string{"id"}, columns: join(ints("id"), texts("name"), []column{{name: "retired", kind: truth}}, ints("sent_until", "sent_shard", "sent_from"))},
	{name: "takeover", key: []string{"id"}, columns: join(ints("id"), texts("logs"))},
	{name: "quota_use", key: []string{"day", "tenant", "subject"}, columns: join(ints("day", "tenant"), texts("subject"), ints("submissions", "bytes"))},
	{name: "checkpoint", key: []string{"origin", "key_id"}, columns: join(texts("origin"), blobs("key_id"), ints("size"), blobs("root", "envelope"), ints("doubt_from"))},
	{name: "fork", key: []string{"id"}, fork: true, columns: join(ints("id"), texts("origin"), blobs("key_id"), ints("found_at", "small_size"),
		blobs("small_root", "small_envelope"), ints("large_size"), blobs("large_root", "large_envelope", "prefix_root", "consistency"))},
	{name: "entry", key: []string{"id"}, columns: join(ints("id", "log", "tenant"), blobs("leaf_hash"), texts("kind"), ints("shard"), texts("state"),
		ints("priority", "queued_at"), []column{{name: "next_at", from: "0"}, {name: "leased_until", from: "0"}}, ints("fence", "attempts"),
		[]column{{name: "in_doubt", kind: truth}}, ints("last_sent_at", "sent_at_tree_size", "absent_to", "log_index"), texts("problem"), ints("bytes"))},
	{name: "entry_blob", key: []string{"entry"}, columns: join(ints("entry"), blobs("body", "signature"), texts("inclusion_kind"), blobs("inclusion", "tokens"))},
	{name: "submission", key: []string{"seq"}, columns: join(ints("seq"), []column{{name: "id", kind: id}}, ints("tenant"), blobs("key"), texts("format", "state"),
		ints("needed", "priority", "created_at"), blobs("digests", "signatures"), texts("labels"), ints("takeover"), texts("subject"))},
	{name: "submission_blob", key: []string{"submission"}, columns: join(ints("submission"), blobs("receipt"))},
	{name: "audit", key: []string{"seq"}, columns: join(ints("seq", "tenant", "at"), texts("event"), ints("submission"), texts("caller", "address", "request", "reason"))},
	{name: "submission_entry", key: []string{"submission", "role"}, columns: ints("submission", "role", "entry", "of")},
	{name: "own_log", key: []string{"log"}, columns: join(ints("log"), texts("origin"), ints("size"), blobs("root"), ints("logged"), []column{{name: "closed", kind: truth}})},
	{name: "own_queue", key: []string{"log", "entry"}, columns: ints("log", "entry")},
	{name: "own_record", key: []string{"log", "idx"}, columns: ints("log", "idx", "entry")},
	{name: "own_tile", key: []string{"log", "level", "idx"}, columns: join(ints("log", "level", "idx"), blobs("hashes"))},
	{name: "own_anchor", key: []string{"log", "size"}, columns: join(ints("log", "size"), blobs("root"), texts("submission"))},
	{name: "own_cosignature", key: []string{"log", "size", "witness"}, columns: join(ints("log", "size"), texts("witness"), ints("time"), texts("line"))},
	{name: "own_contradiction", key: []string{"log", "witness"}, columns: join(ints("log"), texts("witness"), ints("size", "lasted"))},
	{name: "own_look", key: []string{"log", "shard", "key"}, columns: join(ints("log", "shard"), blobs("key"), ints("first", "next"))},
	{name: "mirror", key: []string{"log"}, columns: ints("log")},
	{name: "mirror_due", key: []string{"log", "entry"}, columns: ints("log", "entry")},
	// What is still being spooled is spooled again, by whoever sends it.
	{name: "blob", key: []string{"id"}, columns: join(blobs("id"), ints("size", "parts"), []column{{name: "attached", kind: truth}, {name: "doomed", kind: truth},
		{name: "touched_at", from: "0"}}, blobs("sha256"))},
	{name: "blob_part", key: []string{"blob", "part"}, columns: join(blobs("blob"), ints("part"), blobs("data"))},
	{name: "blob_use", key: []string{"leaf_hash", "blob"}, columns: join(blobs("leaf_hash", "blob"), ints("place"))},
	{name: "submission_digest", key: []string{"tenant", "prefix", "submission"}, columns: join(ints("tenant"), blobs("prefix"), ints("submission"))},
	{name: "submission_signer", key: []string{"tenant", "prefix", "submission"}, columns: join(ints("tenant"), blobs("prefix"), ints("submission"))},
}

// names are those of the columns, as SQL.
func (t *table) names() string {
	all := make([]string, len(t.columns))
	for i, c := range t.columns {
		all[i] = quote(c.name)
	}
	return strings.Join(all, ", ")
}

// expressions are the columns of the source.
func (t *table) expressions() string {
	all := make([]string, len(t.columns))
	for i, c := range t.columns {
		if all[i] = c.from; c.from == "" {
			all[i] = quote(c.name)
		}
	}
	return strings.Join(all, ", ")
}

// order is the key as a list, by which rows are ordered in both stores: texts by their bytes.
func (t *table) order(collation string) string {
	all := make([]string, len(t.key))
	for i, name := range t.key {
		if all[i] = quote(name); t.columns[i].kind == text {
			all[i] += collation
		}
	}
	return strings.Join(all, ", ")
}

// quote is for the column named of.
func quote(name string) string { return `"` + name + `"` }
