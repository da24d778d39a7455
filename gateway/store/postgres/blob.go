// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

// They are variables so that a test can break each of them, and see it noticed.
var (
	beginBlob = `INSERT INTO blob (id, size, parts, touched_at) VALUES ($1, $2, 1, $3)`

	extendBlob = `
UPDATE blob SET size = size + $1, parts = parts + 1, touched_at = $2
WHERE id = $3 AND parts = $4::integer AND size = $4::bigint * $5 AND NOT attached AND NOT doomed`

	insertPart = `INSERT INTO blob_part (blob, part, data) VALUES ($1, $2, $3)`

	selectPart = `SELECT data FROM blob_part WHERE blob = $1 AND part = $2`

	blobOfLeaf = `
SELECT b.id, b.size, b.sha256 FROM blob_use u JOIN blob b ON b.id = u.blob WHERE u.leaf_hash = $1 AND NOT b.doomed
ORDER BY u.place, u.blob LIMIT 1`

	attachBlob = `
UPDATE blob SET attached = true, sha256 = $1 WHERE id = $2 AND size = $3 AND NOT doomed AND COALESCE(sha256, $1) = $1`

	// What is stored of a submission that is known may have other leaves than what is enqueued.
	leavesToSend = `
SELECT DISTINCT e.leaf_hash FROM submission s JOIN submission_entry se ON se.submission = s.seq JOIN entry e ON e.id = se.entry
WHERE s.tenant = $1 AND s.key = ANY($2::bytea[]) AND e.kind = $3`

	// The one that may be on its way already is sent on.
	useBlob = `
INSERT INTO blob_use (leaf_hash, blob, place)
SELECT l.leaf, $2, COALESCE((SELECT MAX(place) + 1 FROM blob_use WHERE leaf_hash = l.leaf), 0) FROM unnest($1::bytea[]) AS l (leaf)
ON CONFLICT DO NOTHING`

	countOpen = `SELECT COALESCE(SUM(size), 0)::bigint FROM blob WHERE NOT attached AND NOT doomed`

	dropBlob = `UPDATE blob SET doomed = true WHERE id = $1 AND NOT attached`

	// One sweeps at a time: what another one is about to remove is not taken for what an entry can be sent with.
	lockSweep = `SELECT pg_try_advisory_xact_lock(hashtextextended('rekor_gateway.blobs', 0))`

	// In two statements: what the second one sees of entries is as it is once the first one has its locks.
	lockUnusedBlobs = `SELECT id FROM blob b WHERE ` + isUnused + ` ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED`

	doomBlobs = `UPDATE blob b SET doomed = true WHERE id = ANY($3::bytea[]) AND ` + isUnused

	lockDoomed = `SELECT id FROM blob WHERE doomed ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED`

	removeUses = `DELETE FROM blob_use WHERE blob = ANY($1::bytea[])`

	removeParts = `
DELETE FROM blob_part WHERE (blob, part) IN (SELECT blob, part FROM blob_part WHERE blob = ANY($1::bytea[]) LIMIT $2)`

	removeBlobs = `DELETE FROM blob b WHERE id = ANY($1::bytea[]) AND NOT EXISTS (SELECT 1 FROM blob_part p WHERE p.blob = b.id)`

	countBlobs = `SELECT COUNT(*), COALESCE(SUM(size), 0)::bigint, COUNT(*) FILTER (WHERE doomed) FROM blob`
)

// isUnused says of a blob b that nobody needs it: $1 is now, and $2 the grace of those that are open.
const isUnused = `NOT b.doomed AND (NOT b.attached AND abs(b.touched_at - $1::bigint) > $2::bigint
    OR b.attached AND NOT EXISTS (SELECT 1 FROM blob_use u CROSS JOIN log l JOIN entry e ON e.log = l.id AND e.leaf_hash = u.leaf_hash
        WHERE u.blob = b.id AND e.state = 'PENDING' AND NOT EXISTS (SELECT 1 FROM blob_use f JOIN blob o ON o.id = f.blob
            WHERE f.leaf_hash = u.leaf_hash AND (f.place, f.blob) < (u.place, u.blob) AND NOT o.doomed)))`

// AppendBlob implements gateway.Store. Of several processes, each may exceed the bound by what the others spool meanwhile.
func (s *Store) AppendBlob(ctx context.Context, id gateway.BlobID, part int, data []byte) error {
	const doing = "spooling an artifact"
	if err := store.CheckPart(part, data); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return s.writeTx(ctx, doing, func(t *tx) error {
		if err := t.checkBlobRoom(part, int64(len(data))); err != nil {
			return err
		}
		if part == 0 {
			if _, err := t.exec(beginBlob, id[:], len(data), t.now); isConstraint(err) {
				return gateway.ErrBlobGone
			} else if err != nil {
				return err
			}
		} else if err := t.changeBlob(extendBlob, len(data), t.now, id[:], part, gateway.BlobPart); err != nil {
			return err
		}
		_, err := t.exec(insertPart, id[:], part, data)
		return err
	})
}

// checkBlobRoom is ErrQueueFull where no more bytes may be stored as that part.
func (t *tx) checkBlobRoom(part int, bytes int64) error {
	limit := t.store.opts.MaxPendingBytes
	if limit <= 0 {
		return nil
	}
	var pending backlog
	if err := t.scanRow(countPending, nil, &pending.entries, &pending.bytes); err != nil {
		return err
	}
	var open int64
	if err := t.scanRow(countOpen, nil, &open); err != nil {
		return err
	}
	if !store.FitsBlob(limit, pending.bytes, open, part, bytes) {
		return (&room{opts: &t.store.opts}).errFull()
	}
	return nil
}

// changeBlob is ErrBlobGone unless the statement changes a row.
func (t *tx) changeBlob(query string, args ...any) error {
	if n, err := t.exec(query, args...); err != nil || n == 1 {
		return err
	}
	return gateway.ErrBlobGone
}

// BlobPart implements gateway.Store.
func (s *Store) BlobPart(ctx context.Context, id gateway.BlobID, part int) (data []byte, err error) {
	err = s.readOnce(ctx, "reading a spooled artifact", func(ctx context.Context, conn *pgxpool.Conn) error {
		return goneWhereNone(conn.QueryRow(ctx, selectPart, id[:], part).Scan(&data))
	})
	if err != nil {
		return nil, err
	}
	return data, nil
}

// BlobOf implements gateway.Store.
func (s *Store) BlobOf(ctx context.Context, leaf gateway.LeafHash) (b gateway.Blob, err error) {
	var id, sum []byte
	err = s.readOnce(ctx, "looking for a spooled artifact", func(ctx context.Context, conn *pgxpool.Conn) error {
		return goneWhereNone(conn.QueryRow(ctx, blobOfLeaf, leaf[:]).Scan(&id, &b.Size, &sum))
	})
	if err != nil {
		return gateway.Blob{}, err
	}
	copy(b.ID[:], id)
	copy(b.SHA256[:], sum)
	return b, nil
}

func goneWhereNone(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return gateway.ErrBlobGone
	}
	return err
}

// DropBlob implements gateway.Store.
func (s *Store) DropBlob(ctx context.Context, id gateway.BlobID) error {
	return s.writeTx(ctx, "dropping a spooled artifact", func(t *tx) error {
		_, err := t.exec(dropBlob, id[:])
		return err
	})
}

// attachBlobs has the blobs of the batch's entries be theirs, and refuses what names one that is not there as it says. Their
// locks come first of all, in the order of their IDs.
func (e *enqueuing) attachBlobs() error {
	type want struct {
		place int
		n     gateway.NewEntry
	}
	var wants []want
	for _, i := range e.places() {
		for _, n := range e.rows[i].Entries {
			if n.Blob != nil {
				wants = append(wants, want{i, n})
			}
		}
	}
	slices.SortStableFunc(wants, func(a, b want) int { return slices.Compare(a.n.Blob.ID[:], b.n.Blob.ID[:]) })
	for _, w := range wants {
		err := e.changeBlob(attachBlob, w.n.Blob.SHA256[:], w.n.Blob.ID[:], w.n.Blob.Size)
		if errors.Is(err, gateway.ErrBlobGone) {
			e.results[w.place].Err = err
			continue
		}
		if err == nil {
			err = e.useBlob(w.place, w.n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// useBlob has n be sent with its blob, and what is stored in its place where the submission is known.
func (e *enqueuing) useBlob(place int, n gateway.NewEntry) error {
	var keys [][]byte
	for _, k := range e.keysOf(place) {
		keys = append(keys, k.key[:])
	}
	leaves, err := collectColumn[[]byte](e.tx, leavesToSend, e.tenants[e.rows[place].Tenant], keys, n.Kind)
	if err != nil {
		return err
	}
	if len(leaves) == 0 {
		leaves = [][]byte{n.LeafHash[:]}
	}
	_, err = e.exec(useBlob, leaves, n.Blob.ID[:])
	return err
}

// SweepBlobs implements gateway.Store.
func (s *Store) SweepBlobs(ctx context.Context) (swept gateway.SweptBlobs, err error) {
	err = s.writeTx(ctx, "removing spooled artifacts", func(t *tx) error {
		swept = gateway.SweptBlobs{}
		alone, more := false, false
		if err := t.scanRow(lockSweep, nil, &alone); err != nil {
			return err
		}
		if alone {
			var err error
			if swept.Removed, more, err = t.removeUnused(); err != nil {
				return err
			}
		}
		var left int
		err := t.scanRow(countBlobs, nil, &swept.Blobs, &swept.Bytes, &left)
		swept.More = alone && (left > 0 || more)
		return err
	})
	if err != nil {
		return gateway.SweptBlobs{}, err
	}
	return swept, nil
}

// removeUnused removes a bounded amount, and returns how many blobs, and whether there may be more that nobody needs.
func (t *tx) removeUnused() (n int, more bool, err error) {
	grace := gateway.BlobGrace.Milliseconds()
	unused, err := collectColumn[[]byte](t, lockUnusedBlobs, t.now, grace, store.BlobsPerSweep)
	if err != nil {
		return 0, false, err
	}
	if _, err := t.exec(doomBlobs, t.now, grace, unused); err != nil {
		return 0, false, err
	}
	doomed, err := collectColumn[[]byte](t, lockDoomed, store.BlobsPerSweep)
	if err != nil {
		return 0, false, err
	}
	if _, err := t.exec(removeUses, doomed); err != nil {
		return 0, false, err
	}
	if _, err := t.exec(removeParts, doomed, store.PartsPerSweep); err != nil {
		return 0, false, err
	}
	removed, err := t.exec(removeBlobs, doomed)
	return int(removed), len(unused) == store.BlobsPerSweep, err
}
