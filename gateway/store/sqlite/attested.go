// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const (
	signaturesOfEntries = `
SELECT e.id, se.of, s.signatures FROM submission s
JOIN submission_entry se ON se.submission = s.seq JOIN entry e ON e.id = se.entry
WHERE e.state <> 'FAILED'`

	entriesWithBodies = `
SELECT ` + entryColumns + `, b.body FROM entry e ` + entryNames + ` JOIN entry_blob b ON b.entry = e.id
WHERE e.id IN (SELECT value FROM json_each(?))`
)

// attestedChunk is how many entries are read by one query.
const attestedChunk = 1000

// EachAttested implements gateway.Store. It reads all submissions, but the bodies only of what is
// attested.
func (s *Store) EachAttested(ctx context.Context, f func(gateway.Entry, []byte) error) error {
	return s.readTx(ctx, "reading attested entries", func(t *tx) error {
		ids, err := t.listAttested(ctx)
		if err != nil {
			return err
		}
		for chunk := range slices.Chunk(ids, attestedChunk) {
			arg, err := encodeList(chunk)
			if err != nil {
				return err
			}
			var body []byte
			row := newEntryRow(&body)
			err = t.eachRow(entriesWithBodies, []any{arg}, func(scan func(...any) error) error {
				e, err := row.scanEntry(scan)
				if err != nil {
					return err
				}
				return f(e, body)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// listAttested returns the entries that record an attested signature, in any order, each once.
func (t *tx) listAttested(ctx context.Context) ([]int64, error) {
	var ids []int64
	err := t.eachRow(signaturesOfEntries, nil, func(scan func(...any) error) error {
		var id int64
		var of int
		c := store.Columns{Labels: "{}"}
		if err := scan(&id, &of, &c.Signatures); err != nil {
			return err
		}
		var fields gateway.SubmissionFields
		if err := c.Decode(&fields); err != nil {
			return err
		}
		if of < len(fields.Signatures) && fields.Signatures[of].Representation == gateway.Attested {
			ids = append(ids, id)
		}
		return ctx.Err()
	})
	slices.Sort(ids)
	return slices.Compact(ids), err
}
