-- +goose Up

-- What waits is bounded in bytes, too. An entry's bytes are those stored for it: its body, its
-- signature, and the receipts of the submissions that name it first. log.pending_bytes is their sum
-- over the pending entries, and is changed in the transaction that changes those.

ALTER TABLE entry ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;

ALTER TABLE log ADD COLUMN pending_bytes INTEGER NOT NULL DEFAULT 0 CHECK (pending_bytes >= 0);

UPDATE entry SET bytes =
    (SELECT length(b.body) + COALESCE(length(b.signature), 0) FROM entry_blob b WHERE b.entry = entry.id)
    + (SELECT COALESCE(SUM(length(r.receipt)), 0) FROM submission_entry se
       JOIN submission_blob r ON r.submission = se.submission WHERE se.entry = entry.id AND se.role = 0)
WHERE state <> 'LOGGED';

UPDATE log SET pending_bytes = (SELECT COALESCE(SUM(bytes), 0) FROM entry e WHERE e.log = log.id AND e.state = 'PENDING');
