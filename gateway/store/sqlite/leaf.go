// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

const firstOfLeaf = `
SELECT se.submission FROM entry e JOIN submission_entry se ON se.entry = e.id
WHERE e.log = ? AND e.leaf_hash = ? ORDER BY se.submission LIMIT 1`

// ByLeaf implements gateway.Store.
func (s *Store) ByLeaf(ctx context.Context, log string, leaf gateway.LeafHash) (gateway.Submission, error) {
	var found gateway.Submission
	err := s.read(ctx, "reading submission", func(t *tx) error {
		var id string
		err := t.QueryRow(firstOfLeaf, log, leaf[:]).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return gateway.ErrNotFound
		}
		if err != nil {
			return err
		}
		all, err := t.submissions([]string{id})
		found = all[id]
		return err
	})
	return found, err
}
