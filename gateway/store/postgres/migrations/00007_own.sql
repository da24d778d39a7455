-- +goose Up

-- The gateway's own logs: see own.go. The row of a log is locked by whoever changes what belongs to it, its queue aside: that is the
-- one row of the store for which replicas wait.
CREATE TABLE own_log (
    log    bigint PRIMARY KEY,
    origin text   NOT NULL UNIQUE,
    size   bigint NOT NULL DEFAULT 0, -- records, and the root of the tree over them
    root   bytea  NOT NULL CHECK (length(root) = 32),
    logged bigint NOT NULL DEFAULT 0 CHECK (logged BETWEEN 0 AND size) -- how many of them are, from the first on
) WITH (fillfactor = 50);

-- Entries that have no index yet. They may be committed in another order than that of their ids.
CREATE TABLE own_queue (
    log   bigint NOT NULL,
    entry bigint NOT NULL,
    PRIMARY KEY (log, entry)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

-- Rows are never changed or removed.
CREATE TABLE own_record (
    log   bigint NOT NULL,
    idx   bigint NOT NULL,
    entry bigint NOT NULL UNIQUE,
    PRIMARY KEY (log, idx)
);

-- Of each place the widest tile.
CREATE TABLE own_tile (
    log    bigint  NOT NULL,
    level  integer NOT NULL,
    idx    bigint  NOT NULL,
    hashes bytea   NOT NULL CHECK (length(hashes) BETWEEN 32 AND 8192 AND length(hashes) % 32 = 0),
    PRIMARY KEY (log, level, idx)
);

-- Hashes cannot be compressed.
ALTER TABLE own_tile ALTER COLUMN hashes SET STORAGE EXTERNAL;

-- Rows are never changed or removed.
CREATE TABLE own_anchor (
    log        bigint NOT NULL,
    size       bigint NOT NULL,
    root       bytea  NOT NULL CHECK (length(root) = 32),
    submission text   NOT NULL, -- ID
    PRIMARY KEY (log, size)
);
