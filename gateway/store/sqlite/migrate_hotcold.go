// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

//go:embed hotcold.sql
var hotColdTables string

const (
	// The old tables' indexes go first: their names are needed.
	setOldAside = `
DROP INDEX submission_newest; DROP INDEX submission_newest_by_state;
DROP INDEX entry_queue; DROP INDEX entry_oldest; DROP INDEX entry_leased;
DROP INDEX submission_entry_entry;
ALTER TABLE submission RENAME TO old_submission;
ALTER TABLE submission_digest RENAME TO old_submission_digest;
ALTER TABLE submission_signer RENAME TO old_submission_signer;
ALTER TABLE entry RENAME TO old_entry;
ALTER TABLE submission_entry RENAME TO old_submission_entry;`

	moveNames = `
INSERT INTO tenant (name) SELECT DISTINCT tenant FROM old_submission ORDER BY tenant;
INSERT INTO log (name, pending)
SELECT name, (SELECT COUNT(*) FROM old_entry e WHERE e.log = name AND e.state = 'PENDING')
FROM (SELECT log AS name FROM old_entry UNION SELECT log FROM queue) ORDER BY name;`

	// The order of lists was this one. It is kept apart, so that no receipt is sorted with it.
	orderOld = `
CREATE TABLE old_order (place INTEGER PRIMARY KEY, submission INTEGER NOT NULL) STRICT;
INSERT INTO old_order (submission) SELECT rowid FROM old_submission ORDER BY created_at, id;`

	dropOld = `
DROP TABLE old_submission_entry; DROP TABLE old_submission_digest; DROP TABLE old_submission_signer;
DROP TABLE old_order; DROP TABLE old_submission; DROP TABLE old_entry; DROP TABLE queue;`

	foreignKeyCheck = `SELECT "table" || ' ' || rowid FROM pragma_foreign_key_check`
)

// moveToHotCold moves all rows of the first schema to the tables of hotcold.sql, in one
// transaction, one row after the other. The file has room for both meanwhile; what the old tables
// held is free afterwards and used again.
func moveToHotCold(ctx context.Context, begun *sql.Tx) error {
	t := &tx{Tx: begun}
	for _, query := range []string{setOldAside, hotColdTables, moveNames, orderOld} {
		if _, err := t.ExecContext(ctx, query); err != nil {
			return err
		}
	}
	if err := moveEntries(ctx, t); err != nil {
		return fmt.Errorf("moving entries: %w", err)
	}
	if err := moveSubmissions(ctx, t); err != nil {
		return fmt.Errorf("moving submissions: %w", err)
	}
	if _, err := t.ExecContext(ctx, dropOld); err != nil {
		return err
	}
	broken, err := collectColumn[string](t, foreignKeyCheck)
	if err != nil || len(broken) > 0 {
		return errors.Join(err, fmt.Errorf("checking foreign keys: %q", broken))
	}
	return nil
}

// prepareAll prepares queries for the time of the transaction.
func prepareAll(ctx context.Context, t *tx, queries map[**sql.Stmt]string) error {
	for target, query := range queries {
		stmt, err := t.PrepareContext(ctx, query)
		if err != nil {
			return err
		}
		*target = stmt
	}
	return nil
}

const (
	oldSubmissions = `
SELECT s.rowid, s.id, s.key, s.representation, s.digests, s.signers, s.labels, s.receipt, t.id
FROM old_order o CROSS JOIN old_submission s ON s.rowid = o.submission JOIN tenant t ON t.name = s.tenant
ORDER BY o.place`

	oldLogs = `
SELECT DISTINCT e.log FROM old_submission_entry se JOIN old_entry e ON e.id = se.entry
WHERE se.submission = ? ORDER BY e.log`

	moveSubmission = `
INSERT INTO submission (id, tenant, key, format, state, needed, priority, created_at, digests, signatures, labels)
SELECT ?2, ?3, ?4, format, state, ?5, priority, created_at, ?6, ?7, labels FROM old_submission WHERE rowid = ?1`

	moveLinks = `
INSERT INTO submission_entry (submission, role, entry)
SELECT ?1, role, entry FROM old_submission_entry WHERE submission = ?2`
)

// submissionMover moves submissions with what refers to them; their entries are moved already.
type submissionMover struct {
	logs, submission, links, digest, signer, receipt *sql.Stmt
}

func moveSubmissions(ctx context.Context, t *tx) error {
	var m submissionMover
	err := prepareAll(ctx, t, map[**sql.Stmt]string{
		&m.logs: oldLogs, &m.submission: moveSubmission, &m.links: moveLinks,
		&m.digest: insertDigest, &m.signer: insertSigner, &m.receipt: insertReceipt,
	})
	if err != nil {
		return err
	}
	return t.eachRow(oldSubmissions, nil, func(scan func(...any) error) error {
		var old oldSubmission
		if err := old.scanRow(scan); err != nil {
			return err
		}
		if err := m.moveSubmission(&old); err != nil {
			return fmt.Errorf("submission %s: %w", old.id, err)
		}
		return ctx.Err()
	})
}

func (m *submissionMover) moveSubmission(old *oldSubmission) error {
	logs, err := m.logsOf(old.id)
	if err != nil {
		return err
	}
	id, err := uuid.Parse(old.id)
	if err != nil {
		return err
	}
	fields, err := old.buildFields(logs)
	if err != nil {
		return err
	}
	c, err := store.EncodeColumns(&fields)
	if err != nil {
		return err
	}
	r, err := m.submission.Exec(old.row, id[:], old.tenant, fields.Key[:], fields.Needed, c.Digests, c.Signatures)
	if err != nil {
		return err
	}
	seq, err := r.LastInsertId()
	if err != nil {
		return err
	}
	if _, err := m.links.Exec(seq, old.id); err != nil {
		return err
	}
	return m.moveRest(old, &fields, seq)
}

// moveRest moves the receipt and makes what the submission is searched by.
func (m *submissionMover) moveRest(old *oldSubmission, fields *gateway.SubmissionFields, seq int64) error {
	if old.receipt != nil {
		if _, err := m.receipt.Exec(seq, old.receipt); err != nil {
			return err
		}
	}
	digests, signers, err := encodePrefixes(fields)
	if err != nil {
		return err
	}
	for _, prefix := range digests {
		if _, err := m.digest.Exec(old.tenant, prefix, seq); err != nil {
			return err
		}
	}
	for _, prefix := range signers {
		if _, err := m.signer.Exec(old.tenant, prefix, seq); err != nil {
			return err
		}
	}
	return nil
}

func (m *submissionMover) logsOf(id string) (logs []string, err error) {
	rows, err := m.logs.Query(id)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var log string
		if err := rows.Scan(&log); err != nil {
			return nil, err
		}
		logs = append(logs, log)
	}
	return logs, rows.Err()
}

// oldSubmission has those fields of a row of the first schema whose form changes.
type oldSubmission struct {
	row            int64
	id             string
	key            []byte
	representation gateway.Representation
	digests        string // JSON array of "sha256:HEX"
	signers        []byte // 32 bytes each
	labels         string // JSON object; it stays as it is
	receipt        []byte
	tenant         int64 // row in the new table
}

func (o *oldSubmission) scanRow(scan func(...any) error) error {
	return scan(&o.row, &o.id, &o.key, &o.representation, &o.digests, &o.signers, &o.labels, &o.receipt, &o.tenant)
}

// buildFields returns the fields of o in their present form, for entries in logs, which are sorted.
// What the first schema did not store is taken from the receipt.
func (o *oldSubmission) buildFields(logs []string) (f gateway.SubmissionFields, err error) {
	receipt, err := store.DecodeReceipt(o.receipt)
	if err != nil {
		return f, err
	}
	if f.Digests, err = parseOldDigests(o.digests); err != nil {
		return f, err
	}
	if err := json.Unmarshal([]byte(o.labels), new(map[string]string)); err != nil {
		return f, fmt.Errorf("decoding labels: %w", err)
	}
	if len(o.key) != sha256.Size || len(o.signers)%sha256.Size != 0 {
		return f, fmt.Errorf("key of %d bytes, signers of %d", len(o.key), len(o.signers))
	}
	f.Key = gateway.FormerDedupKey([sha256.Size]byte(o.key), oldForm(receipt, logs))
	f.Needed = len(logs)
	signature := gateway.RecordedSignature{Representation: o.representation, Way: gateway.Direct, Evidence: oldEvidence(receipt)}
	for s := range slices.Chunk(o.signers, sha256.Size) {
		signature.Signers = append(signature.Signers, [sha256.Size]byte(s))
	}
	f.Signatures = []gateway.RecordedSignature{signature}
	return f, nil
}

func parseOldDigests(encoded string) ([]formats.Digest, error) {
	var all []string
	if err := json.Unmarshal([]byte(encoded), &all); err != nil {
		return nil, fmt.Errorf("decoding digests: %w", err)
	}
	digests := make([]formats.Digest, len(all))
	for i, s := range all {
		var err error
		if digests[i], err = formats.ParseDigest(s); err != nil {
			return nil, fmt.Errorf("decoding digests: %w", err)
		}
	}
	return digests, nil
}

// oldForm returns what a submission's key is computed from now, beside its key of the first release.
func oldForm(r *receiptpb.Receipt, logs []string) gateway.DedupForm {
	form := gateway.DedupForm{Way: gateway.Direct, Logs: logs, Embedded: r.GetArtifact().GetEmbedded()}
	if c := r.GetArtifact().GetContainer(); c != nil {
		form.Container = formats.Digest{Algorithm: formats.DigestAlgorithm(c.GetAlgorithm()), Value: c.GetValue()}.String()
	}
	for _, finding := range r.GetFindings() {
		form.Findings = append(form.Findings, finding.GetReason())
	}
	slices.Sort(form.Findings)
	return form
}

// oldEvidence is the weakest of the artifact's digests.
func oldEvidence(r *receiptpb.Receipt) formats.Evidence {
	digests := r.GetArtifact().GetDigests()
	weak := func(d *receiptpb.Digest) bool { return d.GetEvidence() != receiptpb.Digest_BYTES }
	if len(digests) == 0 || slices.ContainsFunc(digests, weak) {
		return formats.EvidenceDigest
	}
	return formats.EvidenceBytes
}
