-- +goose Up

-- The store may be an older copy than what was anchored of an own log: see own.go.
ALTER TABLE own_log ADD COLUMN doubted INTEGER NOT NULL DEFAULT 0 CHECK (doubted IN (0, 1));

-- How far shards of other logs were looked through for what a key has signed for an own log.
CREATE TABLE own_look (
    log   INTEGER NOT NULL REFERENCES own_log (log),
    shard INTEGER NOT NULL REFERENCES shard (id),
    key   BLOB    NOT NULL CHECK (length(key) = 32), -- SHA-256 of its SubjectPublicKeyInfo
    first INTEGER NOT NULL CHECK (first >= 0),
    next  INTEGER NOT NULL CHECK (next >= first),
    PRIMARY KEY (log, shard, key)
) STRICT, WITHOUT ROWID;
