-- +goose Up

-- The gateway's own logs: see own.go. A row is changed in the transaction that changes what belongs to it.
CREATE TABLE own_log (
    log    INTEGER PRIMARY KEY REFERENCES log (id),
    origin TEXT    NOT NULL UNIQUE,
    size   INTEGER NOT NULL DEFAULT 0, -- records, and the root of the tree over them
    root   BLOB    NOT NULL CHECK (length(root) = 32),
    logged INTEGER NOT NULL DEFAULT 0 CHECK (logged BETWEEN 0 AND size) -- how many of them are, from the first on
) STRICT;

-- Entries that have no index yet. No foreign key: whenever an entry is removed, which none of an own log is, it would be looked
-- for here.
CREATE TABLE own_queue (
    log   INTEGER NOT NULL REFERENCES own_log (log),
    entry INTEGER NOT NULL,
    PRIMARY KEY (log, entry)
) STRICT, WITHOUT ROWID;

-- Rows are never changed or removed.
CREATE TABLE own_record (
    log   INTEGER NOT NULL REFERENCES own_log (log),
    idx   INTEGER NOT NULL,
    entry INTEGER NOT NULL UNIQUE REFERENCES entry (id),
    PRIMARY KEY (log, idx)
) STRICT, WITHOUT ROWID;

-- Of each place the widest tile.
CREATE TABLE own_tile (
    log    INTEGER NOT NULL REFERENCES own_log (log),
    level  INTEGER NOT NULL,
    idx    INTEGER NOT NULL,
    hashes BLOB    NOT NULL CHECK (length(hashes) BETWEEN 32 AND 8192 AND length(hashes) % 32 = 0),
    PRIMARY KEY (log, level, idx)
) STRICT;

-- Rows are never changed or removed.
CREATE TABLE own_anchor (
    log        INTEGER NOT NULL REFERENCES own_log (log),
    size       INTEGER NOT NULL,
    root       BLOB    NOT NULL CHECK (length(root) = 32),
    submission TEXT    NOT NULL, -- ID
    PRIMARY KEY (log, size)
) STRICT, WITHOUT ROWID;
