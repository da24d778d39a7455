-- +goose Up

-- An entry belongs to the tenant of the first submission that needs it: claims give each tenant its turn.
-- What is not pending gets one when it is again.
ALTER TABLE entry ADD COLUMN tenant INTEGER NOT NULL DEFAULT 0;

-- There are two priorities: -1 is backfill, 0 interactive.
UPDATE submission SET priority = MIN(MAX(priority, -1), 0) WHERE priority NOT BETWEEN -1 AND 0;

UPDATE entry SET
    tenant = COALESCE((SELECT s.tenant FROM submission_entry se JOIN submission s ON s.seq = se.submission
                       WHERE se.entry = entry.id ORDER BY se.submission LIMIT 1), 0),
    priority = MIN(MAX(priority, -1), 0)
WHERE state = 'PENDING';

-- What may be sent now (next_at is 0) stands by whose turn it is, and apart from what waits for its time, so that
-- claims do not pass over that, however much there is.
DROP INDEX entry_queue;
CREATE INDEX entry_queue ON entry (log, priority, next_at, tenant, queued_at, id) WHERE state = 'PENDING' AND in_doubt = 0;
