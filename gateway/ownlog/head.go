// SPDX-License-Identifier: Apache-2.0

package ownlog

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
)

// Head is an anchored state of an own log.
type Head struct {
	tiletree.Tree
	Checkpoint []byte // the signed note, with the log's line and no other
}

// ReadHead returns the last anchored state. The error is gateway.ErrNotFound before the first.
func (l *Reader) ReadHead(ctx context.Context) (Head, error) {
	anchored, err := l.readAnchored(ctx)
	if err != nil {
		return Head{}, err
	}
	kept, err := l.readAnchor(ctx, anchored.Submission)
	if err != nil {
		return Head{}, err
	}
	return Head{anchored.Tree, kept.checkpoint}, nil
}

// SignEmpty returns the state of the log before anything is anchored, which has no records. It is signed whenever it is asked for: all histories of a log
// begin with it, so that it gives none of them away, and needs no anchor. The caller has seen that nothing is anchored, and that l.IsCertain.
func (l *Log) SignEmpty() (Head, error) {
	signed, err := signCheckpoint(l.origin(), l.cfg.Signer, tiletree.EmptyTree())
	return Head{tiletree.EmptyTree(), signed}, err
}

// ReadRecord returns the body of a record that h has.
func (l *Reader) ReadRecord(ctx context.Context, h Head, index uint64) ([]byte, error) {
	if index >= h.Size {
		return nil, fmt.Errorf("reading own log %s: %w: record %d of %d", l.id, gateway.ErrNotFound, index, h.Size)
	}
	records, err := l.store.OwnRecords(ctx, l.id, index, 1)
	if err != nil {
		return nil, err
	}
	if len(records) != 1 {
		return nil, fmt.Errorf("reading own log %s: record %d is missing", l.id, index)
	}
	return records[0], nil
}

// ProveInclusion returns the proof that h has a record (RFC 6962, section 2.1.1).
func (l *Reader) ProveInclusion(ctx context.Context, h Head, index uint64) ([][tiletree.HashSize]byte, error) {
	return l.proofs.ProveInclusion(h.Tree, index, l.tileReader(ctx))
}

// ProveConsistency returns the proof that an anchored state, of last records, goes on from one of first (RFC 6962, section 2.1.2): 0 < first ≤ last.
// The error is gateway.ErrNotFound where h has fewer.
func (l *Reader) ProveConsistency(ctx context.Context, h Head, first, last uint64) ([][tiletree.HashSize]byte, error) {
	if first == 0 || first > last || last > h.Size {
		return nil, fmt.Errorf("reading own log %s: %w: a proof from %d to %d records of %d", l.id, gateway.ErrNotFound, first, last, h.Size)
	}
	read := l.tileReader(ctx)
	root, err := tiletree.RootAt(h.Tree, last, read)
	if err != nil {
		return nil, err
	}
	return tiletree.ProveConsistency(tiletree.Tree{Size: last, Root: root}, first, read)
}

// ReadCovered returns when a checkpoint that covers a record was signed first, of those that are anchored: it is the same for ever. The error is
// gateway.ErrNotFound before there is one.
func (l *Reader) ReadCovered(ctx context.Context, index uint64) (time.Time, error) {
	anchor, err := l.findAnchor(ctx, index)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading own log %s: record %d: %w", l.id, index, err)
	}
	id, err := uuid.Parse(anchor.Submission) // version 7, and so as old as the signature
	if err != nil {
		return time.Time{}, fmt.Errorf("reading own log %s: anchor: %w", l.id, err)
	}
	return time.Unix(id.Time().UnixTime()).UTC(), nil
}

// IsCertain reports whether the store is known to be no older copy of the log. Before that, nothing is to be signed for it.
func (l *Log) IsCertain() bool { return l.checked.Load() && !l.suspected.Load() && !l.isDoubted() }
