// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// statements are those that a transaction runs once per row; they are prepared once, on
// the writer's connection.
type statements struct {
	insertSubmission                                       *sql.Stmt
	insertEntry, findEntry                                 *sql.Stmt
	addBytes                                               *sql.Stmt
	reviveEntry, raiseEntry                                *sql.Stmt
	finishLogged, finishFailed, finishRetry, keepInclusion *sql.Stmt
	settleFound, settleAbsent                              *sql.Stmt

	insertDigest, insertSigner, insertReceipt, insertBody, linkEntry, insertAudit, insertQueued bulkInsert
}

func (s *statements) eachStatement(f func(target **sql.Stmt, query string) error) error {
	return errors.Join(
		f(&s.insertSubmission, insertSubmission),
		f(&s.insertEntry, insertEntry),
		f(&s.findEntry, findEntry),
		f(&s.addBytes, addBytes),
		f(&s.reviveEntry, reviveEntry),
		f(&s.raiseEntry, raiseEntry),
		f(&s.finishLogged, finishLogged),
		f(&s.finishFailed, finishFailed),
		f(&s.finishRetry, finishRetry),
		f(&s.keepInclusion, keepInclusion),
		f(&s.settleFound, settleFound),
		f(&s.settleAbsent, settleAbsent),
	)
}

func (s *statements) eachBulk(f func(target *bulkInsert, query string) error) error {
	return errors.Join(
		f(&s.insertDigest, insertDigest),
		f(&s.insertSigner, insertSigner),
		f(&s.insertReceipt, insertReceipt),
		f(&s.insertBody, insertBody),
		f(&s.linkEntry, linkEntry),
		f(&s.insertAudit, insertAudit),
		f(&s.insertQueued, insertQueued),
	)
}

func (s *statements) prepareStatements(ctx context.Context, db *sql.DB) error {
	bulk := s.eachBulk(func(target *bulkInsert, query string) (err error) {
		*target, err = prepareBulk(ctx, db, query)
		return err
	})
	return errors.Join(bulk, s.eachStatement(func(target **sql.Stmt, query string) error {
		stmt, err := db.PrepareContext(ctx, query)
		if err != nil {
			return fmt.Errorf("preparing %q: %w", query, err)
		}
		*target = stmt
		return nil
	}))
}

func (s *statements) closeStatements() error {
	bulk := s.eachBulk(func(target *bulkInsert, _ string) error { return target.closeBulk() })
	return errors.Join(bulk, s.eachStatement(func(target **sql.Stmt, _ string) error {
		if *target == nil {
			return nil
		}
		return (*target).Close()
	}))
}

// What transactions run all the time, once each; the others are parsed by SQLite whenever they are run.
var (
	usualWrites = []string{
		countPending, countOpen, addPending, useOfQuota, countOfSubject, chargeQuota, dropOldUses, logsOfEntries, progressOfSubmissions, setState, knownDigests, knownSubmissions,
		countLeased, writableLog, anyWaited, endWaits, anyInLine, tenantsInLine, entriesInLine, leaseEntries, extendLeases, retiredLogs,
		ownLogs, selectOwnLog, nextQueued, selectTile, insertRecords, dropQueued, keepTile, moveHead, logRecords, weighRecords, moveLogged, entriesOfRecords, listMirrored,
	}

	usualReads = []string{
		ownedSubmission, submissionsBySeq, entriesOfSubmissions, receiptsOfSubmissions, blobsOfSubmissions, weightsOfSubmissions, ownedSubmissions,
		progressOfSubmissions, rowsOfIDs, selectStats, selectCheckpoint, selectForked, bodiesOfEntries,
		selectOwnLog, selectTile, bodiesOfRecords, coveringAnchor, selectCosignatures,
	}
)

// queries are statements of one database, by their text. They are closed with it.
type queries map[string]*sql.Stmt

func prepareQueries(ctx context.Context, db *sql.DB, usual []string) (queries, error) {
	all := make(queries, len(usual))
	for _, query := range usual {
		stmt, err := db.PrepareContext(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("preparing %q: %w", query, err)
		}
		all[query] = stmt
	}
	return all, nil
}
