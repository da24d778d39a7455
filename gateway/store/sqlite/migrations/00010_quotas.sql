-- +goose Up

-- What was stored on a day (since 1970, UTC), by whose it is: see store.Uses. Days that are over are removed.
CREATE TABLE quota_use (
    tenant      INTEGER NOT NULL REFERENCES tenant (id),
    subject     TEXT    NOT NULL,
    day         INTEGER NOT NULL,
    submissions INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    PRIMARY KEY (day, tenant, subject)
) STRICT, WITHOUT ROWID;

-- Whose quota bounds what is pending; NULL where none does.
ALTER TABLE submission ADD COLUMN subject TEXT;

CREATE INDEX submission_waiting ON submission (tenant, subject, state)
WHERE subject IS NOT NULL AND (state = 'PENDING' OR state = 'PARTIAL');
