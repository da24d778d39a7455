// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

// They are variables so that a test can break each of them, and see it noticed.
var (
	beginBlob = `INSERT INTO blob (id, size, parts, touched_at) VALUES (?, ?, 1, ?)`

	extendBlob = `
UPDATE blob SET size = size + ?1, parts = parts + 1, touched_at = ?2
WHERE id = ?3 AND parts = ?4 AND size = ?4 * ?5 AND attached = 0 AND doomed = 0`

	insertPart = `INSERT INTO blob_part (blob, part, data) VALUES (?, ?, ?)`

	selectPart = `SELECT data FROM blob_part WHERE blob = ? AND part = ?`

	blobOfLeaf = `
SELECT b.id, b.size, b.sha256 FROM blob_use u JOIN blob b ON b.id = u.blob WHERE u.leaf_hash = ? AND b.doomed = 0
ORDER BY u.place LIMIT 1`

	attachBlob = `UPDATE blob SET attached = 1, sha256 = ?1 WHERE id = ?2 AND size = ?3 AND doomed = 0 AND COALESCE(sha256, ?1) = ?1`

	// What is stored of a submission that is known may have other leaves than what is enqueued.
	leavesToSend = `SELECT e.leaf_hash FROM submission_entry se JOIN entry e ON e.id = se.entry WHERE se.submission = ? AND e.kind = ?`

	// The one that may be on its way already is sent on.
	useBlob = `
INSERT INTO blob_use (leaf_hash, blob, place) SELECT ?1, ?2, COALESCE(MAX(place) + 1, 0) FROM blob_use WHERE leaf_hash = ?1
ON CONFLICT DO NOTHING`

	countOpen = `SELECT COALESCE(SUM(size), 0) FROM blob WHERE attached = 0 AND doomed = 0`

	doomOpen = `UPDATE blob SET doomed = 1 WHERE attached = 0`

	dropBlob = `UPDATE blob SET doomed = 1 WHERE id = ? AND attached = 0`

	// isUnused says of a blob b that nobody needs it: ?1 is now, and ?2 the grace of those that are open. One that is used before is what an entry
	// is sent with. What is doomed has no use any more.
	isUnused = `b.doomed = 0 AND (
    b.attached = 0 AND abs(b.touched_at - ?1) > ?2
    OR b.attached = 1 AND NOT EXISTS (SELECT 1 FROM blob_use u CROSS JOIN log l CROSS JOIN entry e ON e.log = l.id AND e.leaf_hash = u.leaf_hash
        WHERE u.blob = b.id AND e.state = 'PENDING' AND NOT EXISTS
            (SELECT 1 FROM blob_use f WHERE f.leaf_hash = u.leaf_hash AND f.place < u.place)))`

	removeUses = `DELETE FROM blob_use WHERE blob IN (SELECT id FROM blob WHERE doomed = 1)`

	removeParts = `
DELETE FROM blob_part WHERE rowid IN (SELECT p.rowid FROM blob b JOIN blob_part p ON p.blob = b.id WHERE b.doomed = 1 LIMIT ?)`

	removeBlobs = `DELETE FROM blob WHERE doomed = 1 AND NOT EXISTS (SELECT 1 FROM blob_part p WHERE p.blob = blob.id)`

	countBlobs = `SELECT COUNT(*), COALESCE(SUM(size), 0), COALESCE(SUM(doomed), 0) FROM blob`
)

// findUnused finds rows, beside the writers: it looks at all that wait.
func findUnused() string { return `SELECT b.rowid FROM blob b WHERE ` + isUnused + ` LIMIT ?3` }

func doomUnused() string {
	return `UPDATE blob AS b SET doomed = 1 WHERE b.rowid IN (SELECT value FROM json_each(?3)) AND ` + isUnused
}

// AppendBlob implements gateway.Store.
func (s *Store) AppendBlob(ctx context.Context, id gateway.BlobID, part int, data []byte) error {
	const doing = "spooling an artifact"
	if err := store.CheckPart(part, data); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return s.writeTx(ctx, doing, func(t *tx) error {
		if err := s.checkBlobRoom(t, part, int64(len(data))); err != nil {
			return err
		}
		now := s.now()
		if part == 0 {
			if _, err := t.Exec(beginBlob, id[:], len(data), now); isConstraint(err) {
				return gateway.ErrBlobGone
			} else if err != nil {
				return err
			}
		} else if err := t.changeOne(extendBlob, len(data), now, id[:], part, gateway.BlobPart); err != nil {
			return err
		}
		_, err := t.Exec(insertPart, id[:], part, data)
		return err
	})
}

// checkBlobRoom is ErrQueueFull where no more bytes may be stored as that part.
func (s *Store) checkBlobRoom(t *tx, part int, bytes int64) error {
	if s.opts.MaxPendingBytes <= 0 {
		return nil
	}
	var pending backlog
	if err := t.QueryRow(countPending).Scan(&pending.entries, &pending.bytes); err != nil {
		return err
	}
	var open int64
	if err := t.QueryRow(countOpen).Scan(&open); err != nil {
		return err
	}
	if !store.FitsBlob(s.opts.MaxPendingBytes, pending.bytes, open, part, bytes) {
		return s.errFull()
	}
	return nil
}

// forgetOpen has what an earlier process was spooling removed. One that is at work beside this one has to spool anew.
func (s *Store) forgetOpen(ctx context.Context) error {
	return s.writeTx(ctx, "forgetting open artifacts", func(t *tx) error {
		_, err := t.Exec(doomOpen)
		return err
	})
}

// changeOne is ErrBlobGone unless the statement changes a row.
func (t *tx) changeOne(query string, args ...any) error {
	r, err := t.Exec(query, args...)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, gateway.ErrBlobGone)
	}
	return nil
}

// BlobPart implements gateway.Store.
func (s *Store) BlobPart(ctx context.Context, id gateway.BlobID, part int) (data []byte, err error) {
	err = s.readTx(ctx, "reading a spooled artifact", func(t *tx) error {
		return goneWhereNone(t.QueryRow(selectPart, id[:], part).Scan(&data))
	})
	if err != nil {
		return nil, err
	}
	return data, nil
}

// BlobOf implements gateway.Store.
func (s *Store) BlobOf(ctx context.Context, leaf gateway.LeafHash) (b gateway.Blob, err error) {
	var id, sum []byte
	err = s.readTx(ctx, "looking for a spooled artifact", func(t *tx) error {
		return goneWhereNone(t.QueryRow(blobOfLeaf, leaf[:]).Scan(&id, &b.Size, &sum))
	})
	if err != nil {
		return gateway.Blob{}, err
	}
	copy(b.ID[:], id)
	copy(b.SHA256[:], sum)
	return b, nil
}

func goneWhereNone(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return gateway.ErrBlobGone
	}
	return err
}

// DropBlob implements gateway.Store.
func (s *Store) DropBlob(ctx context.Context, id gateway.BlobID) error {
	return s.writeTx(ctx, "dropping a spooled artifact", func(t *tx) error {
		_, err := t.Exec(dropBlob, id[:])
		return err
	})
}

// attachBlobs has the blobs of the batch's entries be theirs, and refuses what names one that is not there as it says.
func (e *enqueuing) attachBlobs(t *tx) error {
	return e.eachRow(func(i int) error {
		for _, n := range e.rows[i].Entries {
			if n.Blob == nil {
				continue
			}
			err := t.changeOne(attachBlob, n.Blob.SHA256[:], n.Blob.ID[:], n.Blob.Size)
			if errors.Is(err, gateway.ErrBlobGone) {
				e.results[i].Err = err
				return nil
			}
			if err == nil {
				err = e.useBlob(t, i, n)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// useBlob has n be sent with its blob, and what is stored in its place where the submission is known.
func (e *enqueuing) useBlob(t *tx, i int, n gateway.NewEntry) (err error) {
	leaves := [][]byte{n.LeafHash[:]}
	if seq, ok := e.lookUpKnown(&e.rows[i]); ok {
		if leaves, err = collectColumn[[]byte](t, leavesToSend, seq, n.Kind); err != nil {
			return err
		}
	}
	for _, leaf := range leaves {
		if _, err := t.Exec(useBlob, leaf, n.Blob.ID[:]); err != nil {
			return err
		}
	}
	return nil
}

// SweepBlobs implements gateway.Store. It writes only where there is something to remove.
func (s *Store) SweepBlobs(ctx context.Context) (swept gateway.SweptBlobs, err error) {
	var unused []int64
	doomed := 0
	err = s.readTx(ctx, "looking for spooled artifacts to remove", func(t *tx) (err error) {
		if unused, err = collectColumn[int64](t, findUnused(), s.now(), gateway.BlobGrace.Milliseconds(), store.BlobsPerSweep); err != nil {
			return err
		}
		return t.QueryRow(countBlobs).Scan(&swept.Blobs, &swept.Bytes, &doomed)
	})
	if err == nil && len(unused)+doomed > 0 {
		err = s.writeTx(ctx, "removing spooled artifacts", func(t *tx) (err error) {
			swept, err = s.removeUnused(t, unused)
			return err
		})
	}
	if err != nil {
		return gateway.SweptBlobs{}, err
	}
	return swept, nil
}

// removeUnused removes those of the rows that are unused still, and what is doomed, as far as one sweep removes it.
func (s *Store) removeUnused(t *tx, rows []int64) (swept gateway.SweptBlobs, err error) {
	arg, err := encodeList(rows)
	if err != nil {
		return swept, err
	}
	for _, remove := range []struct {
		query string
		args  []any
	}{{doomUnused(), []any{s.now(), gateway.BlobGrace.Milliseconds(), arg}}, {removeUses, nil}, {removeParts, []any{store.PartsPerSweep}}} {
		if _, err := t.Exec(remove.query, remove.args...); err != nil {
			return swept, err
		}
	}
	r, err := t.Exec(removeBlobs)
	if err != nil {
		return swept, err
	}
	n, err := r.RowsAffected()
	if err != nil {
		return swept, err
	}
	swept.Removed = int(n)
	var doomed int
	err = t.QueryRow(countBlobs).Scan(&swept.Blobs, &swept.Bytes, &doomed)
	swept.More = doomed > 0 || len(rows) == store.BlobsPerSweep
	return swept, err
}
