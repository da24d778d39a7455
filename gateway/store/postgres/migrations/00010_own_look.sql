-- +goose Up

-- How far shards of other logs were looked through for what a key has signed for an own log.
CREATE TABLE own_look (
    log   bigint NOT NULL,
    shard bigint NOT NULL,
    key   bytea  NOT NULL CHECK (length(key) = 32), -- SHA-256 of its SubjectPublicKeyInfo
    first bigint NOT NULL CHECK (first >= 0),
    next  bigint NOT NULL CHECK (next >= first),
    PRIMARY KEY (log, shard, key)
);
