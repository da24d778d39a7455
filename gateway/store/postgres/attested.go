// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const (
	// The next entries, each with what its submissions say of it.
	signaturesOfEntries = `
SELECT e.id, se.of, s.signatures
FROM (SELECT id FROM entry WHERE id > $1 AND state <> 'FAILED' ORDER BY id LIMIT $2) e
LEFT JOIN submission_entry se ON se.entry = e.id LEFT JOIN submission s ON s.seq = se.submission`

	entriesWithBodies = `
SELECT ` + entryColumns + `, b.body FROM entry e ` + entryNames + ` JOIN entry_blob b ON b.entry = e.id
WHERE e.id = ANY($1::bigint[]) ORDER BY e.id`
)

// attestedPage is how many entries are looked at by one query, and how many bodies are held at once.
const attestedPage = 500

// attestedEntry is an entry that records an attested signature, with its body.
type attestedEntry struct {
	gateway.Entry
	body []byte
}

// EachAttested implements gateway.Store. It reads all submissions, but the bodies only of what is attested. Each page
// is a transaction of its own, which has ended before f is called: f may take its time, and holds nothing up. What is
// stored meanwhile may be left out.
func (s *Store) EachAttested(ctx context.Context, f func(gateway.Entry, []byte) error) error {
	for after, more := int64(0), true; more; {
		var page []attestedEntry
		var last int64
		err := s.readTx(ctx, "reading attested entries", func(t *tx) (err error) {
			var ids []int64
			if ids, last, more, err = t.listAttested(after); err == nil {
				page, err = t.readAttested(ids)
			}
			return err
		})
		if err != nil {
			return err
		}
		after = last
		for _, e := range page {
			if err := f(e.Entry, e.body); err != nil {
				return err
			}
		}
	}
	return nil
}

// listAttested returns which of the next entries record an attested signature, each once, the last of those entries,
// and whether there may be more.
func (t *tx) listAttested(after int64) (ids []int64, last int64, more bool, err error) {
	last = after
	seen := map[int64]bool{}
	err = t.eachRow(signaturesOfEntries, []any{after, attestedPage}, func(scan func(...any) error) error {
		var id int64
		var of *int
		c := store.Columns{Labels: "{}"}
		if err := scan(&id, &of, &c.Signatures); err != nil {
			return err
		}
		last, seen[id] = max(last, id), true
		var fields gateway.SubmissionFields
		if err := c.Decode(&fields); err != nil {
			return err
		}
		if of != nil && *of < len(fields.Signatures) && fields.Signatures[*of].Representation == gateway.Attested {
			ids = append(ids, id)
		}
		return nil
	})
	slices.Sort(ids)
	return slices.Compact(ids), last, len(seen) == attestedPage, err
}

// readAttested reads the entries with these rows, with their bodies.
func (t *tx) readAttested(ids []int64) (page []attestedEntry, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	err = t.eachRow(entriesWithBodies, []any{ids}, func(scan func(...any) error) error {
		var body []byte
		e, err := scanEntry(scan, &body)
		page = append(page, attestedEntry{e, body})
		return err
	})
	return page, err
}
