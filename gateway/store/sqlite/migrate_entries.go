// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

// What the first release stored were entries of this kind, and inclusions of that one.
const (
	oldEntryKind     = "hashedrekord/0.0.2"
	oldInclusionKind = "rekor.v1.TransparencyLogEntry"
)

const (
	oldEntries = `SELECT id, body, inclusion FROM old_entry ORDER BY id`

	moveEntry = `
INSERT INTO entry (id, log, leaf_hash, kind, state, priority, queued_at, next_at, leased_until, fence, attempts, in_doubt,
    last_sent_at, sent_at_tree_size, log_index, problem)
SELECT o.id, l.id, o.leaf_hash, ?2, o.state, o.priority, o.queued_at, o.next_at, o.leased_until, o.fence, o.attempts, o.in_doubt,
    o.last_sent_at, o.sent_at_tree_size, ?3, o.problem
FROM old_entry o JOIN log l ON l.name = o.log WHERE o.id = ?1`

	moveBlobs = `INSERT INTO entry_blob (entry, body, signature, inclusion_kind, inclusion) VALUES (?, ?, ?, ?, ?)`
)

// moveEntries moves all entries, under the ids that they have: leases name them.
func moveEntries(ctx context.Context, t *tx) error {
	var entry, blobs *sql.Stmt
	if err := prepareAll(ctx, t, map[**sql.Stmt]string{&entry: moveEntry, &blobs: moveBlobs}); err != nil {
		return err
	}
	return t.eachRow(oldEntries, nil, func(scan func(...any) error) error {
		var id int64
		var body, inclusion []byte
		if err := scan(&id, &body, &inclusion); err != nil {
			return err
		}
		i, err := decodeOldInclusion(body, inclusion)
		if err != nil {
			return fmt.Errorf("entry %d: %w", id, err)
		}
		if _, err := entry.Exec(id, oldEntryKind, i.index); err != nil {
			return err
		}
		if _, err := blobs.Exec(id, nonNil(body), oldSignature(body), i.kind, i.proof); err != nil {
			return err
		}
		return ctx.Err()
	})
}

// oldSignature returns the signature in the body of an entry, or nil.
func oldSignature(body []byte) []byte {
	r, err := hashedrekord.Parse(body)
	if err != nil {
		return nil
	}
	return r.Signature
}

// oldInclusion is an inclusion as it is stored now; all is NULL when there is none.
type oldInclusion struct {
	index sql.NullInt64
	kind  sql.NullString
	proof []byte
}

// decodeOldInclusion takes the body, which stands beside it, out of a stored log entry.
func decodeOldInclusion(body, stored []byte) (i oldInclusion, err error) {
	if stored == nil {
		return i, nil
	}
	var e rekorpb.TransparencyLogEntry
	if err := proto.Unmarshal(stored, &e); err != nil {
		return i, fmt.Errorf("decoding inclusion: %w", err)
	}
	if !bytes.Equal(e.CanonicalizedBody, body) {
		return i, errors.New("the log entry stored has another body")
	}
	e.CanonicalizedBody = nil
	index, err := store.TreeSize(uint64(e.LogIndex))
	if err != nil {
		return i, err
	}
	proof, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend([]byte{}, &e)
	if err != nil {
		return i, fmt.Errorf("encoding inclusion: %w", err)
	}
	return oldInclusion{
		index: sql.NullInt64{Int64: index, Valid: true},
		kind:  sql.NullString{String: oldInclusionKind, Valid: true},
		proof: proof,
	}, nil
}
