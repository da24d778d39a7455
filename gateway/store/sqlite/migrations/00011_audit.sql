-- +goose Up

-- The audit trail of submissions, in the order of recording. What a record says of a submission is in its row. Old rows
-- are removed.
CREATE TABLE audit (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant     INTEGER NOT NULL REFERENCES tenant (id),
    at         INTEGER NOT NULL, -- milliseconds since 1970
    event      TEXT    NOT NULL,
    submission INTEGER,          -- NULL: it was refused
    caller     TEXT    NOT NULL,
    address    TEXT    NOT NULL,
    request    TEXT    NOT NULL,
    reason     TEXT    NOT NULL
) STRICT;

CREATE INDEX audit_newest ON audit (tenant);
