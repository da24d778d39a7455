// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

const firstOfLeaf = `
SELECT se.submission FROM entry e JOIN submission_entry se ON se.entry = e.id JOIN submission s ON s.seq = se.submission
WHERE e.log = (SELECT id FROM log WHERE name = $1) AND e.leaf_hash = $2 AND s.tenant = (SELECT id FROM tenant WHERE name = $3)
ORDER BY se.submission LIMIT 1`

// ByLeaf implements gateway.Store. Of several submissions it returns the oldest.
func (s *Store) ByLeaf(ctx context.Context, tenant, log string, leaf gateway.LeafHash) (gateway.Submission, error) {
	var found gateway.Submission
	err := s.lookUpTx(ctx, "reading submission", func(t *tx) error {
		seq, err := t.findSubmission(firstOfLeaf, log, leaf[:], tenant)
		if err != nil {
			return err
		}
		found, err = t.readSubmission(seq)
		return err
	})
	if err != nil {
		return gateway.Submission{}, err
	}
	return found, nil
}
