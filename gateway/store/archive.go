// SPDX-License-Identifier: Apache-2.0

package store

import (
	"github.com/google/uuid"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Weight is how many bytes are cold of a submission.
type Weight struct {
	Seq   int64
	Bytes int64
}

// FitArchived returns the rows of the submissions whose cold bytes GetAll returns, of all that it has found.
func FitArchived(weights []Weight) (seqs []int64) {
	sum := int64(0)
	for i, w := range weights {
		if sum += w.Bytes; i > 0 && sum > gateway.MostArchived {
			break
		}
		seqs = append(seqs, w.Seq)
	}
	return seqs
}

// ParseIDs returns the IDs of submissions by what they are as UUIDs. What is no UUID is no submission's ID.
func ParseIDs(ids []string) map[string]uuid.UUID {
	keys := make(map[string]uuid.UUID, len(ids))
	for _, id := range ids {
		if key, err := uuid.Parse(id); err == nil {
			keys[id] = key
		}
	}
	return keys
}

// NameFound returns submissions, which are there by row, by the IDs that were asked for.
func NameFound(keys map[string]uuid.UUID, found map[int64]gateway.Submission, archived map[int64]gateway.Archived) map[string]gateway.Submission {
	byID := make(map[string]gateway.Submission, len(found))
	for seq, sub := range found {
		if a, ok := archived[seq]; ok {
			sub.Archived = &a
		}
		byID[sub.ID] = sub
	}
	named := make(map[string]gateway.Submission, len(keys))
	for id, key := range keys {
		if sub, ok := byID[key.String()]; ok {
			named[id] = sub
		}
	}
	return named
}

// ListLogged returns the rows of those that are Logged.
func ListLogged(found map[int64]gateway.Submission) (seqs []int64) {
	for seq, sub := range found {
		if sub.State == gateway.Logged {
			seqs = append(seqs, seq)
		}
	}
	return seqs
}
