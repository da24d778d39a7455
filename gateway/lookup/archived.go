// SPDX-License-Identifier: Apache-2.0

package lookup

import (
	"context"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// WithArchived returns a queue that gives back what is cold of what is new, too, for those who wait for its receipt: it need not
// be read from the store again.
func WithArchived(q gateway.Queue) gateway.Queue { return archivedQueue{q} }

type archivedQueue struct{ gateway.Queue }

// Enqueue implements gateway.Queue.
func (q archivedQueue) Enqueue(ctx context.Context, subs []gateway.NewSubmission) ([]gateway.Enqueued, error) {
	stored, err := q.Queue.Enqueue(ctx, subs)
	for i := range stored {
		s := &stored[i].Submission
		if stored[i].Err != nil || s.Existing || s.State != gateway.Pending {
			continue
		}
		s.Archived = &gateway.Archived{Receipt: subs[i].Receipt, Entries: make([]gateway.ArchivedEntry, len(subs[i].Entries))}
		for j, e := range subs[i].Entries {
			s.Archived.Entries[j].Body = e.Body
		}
	}
	return stored, err
}
