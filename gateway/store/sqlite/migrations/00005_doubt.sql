-- +goose Up

-- What is in doubt is not claimed, and is looked for in the log by itself. It leaves the queue's index,
-- so that however much of it there is, claims do not pass over it.
DROP INDEX entry_queue;
CREATE INDEX entry_queue ON entry (log, priority DESC, queued_at, id, next_at) WHERE state = 'PENDING' AND in_doubt = 0;
CREATE INDEX entry_doubtful ON entry (log, id) WHERE in_doubt = 1 AND leased_until = 0;

-- One row: the clock of leases and due times. See clock.go.
CREATE TABLE clock (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    boot        TEXT    NOT NULL, -- of the machine; '' is not known
    time_offset INTEGER NOT NULL, -- milliseconds: what is added to the time since that boot
    since       INTEGER NOT NULL  -- when it began
) STRICT;
