-- +goose Up

-- Artifacts that are spooled until they are sent, in parts: see gateway.BlobStore.
CREATE TABLE blob (
    id         BLOB    PRIMARY KEY CHECK (length(id) = 16),
    size       INTEGER NOT NULL CHECK (size > 0),  -- of the parts that are there
    parts      INTEGER NOT NULL CHECK (parts > 0),
    attached   INTEGER NOT NULL DEFAULT 0 CHECK (attached IN (0, 1)), -- it was enqueued: pending entries alone keep it
    doomed     INTEGER NOT NULL DEFAULT 0 CHECK (doomed IN (0, 1)),   -- it is being removed
    touched_at INTEGER NOT NULL,                   -- by the clock of the queue
    sha256     BLOB    CHECK (length(sha256) = 32) -- once attached
) STRICT;

CREATE TABLE blob_part (
    blob BLOB    NOT NULL REFERENCES blob (id),
    part INTEGER NOT NULL,
    data BLOB    NOT NULL,
    PRIMARY KEY (blob, part)
) STRICT;

-- With which blobs the entries of a leaf hash can be sent, in whatever log: the first one that is there is.
CREATE TABLE blob_use (
    leaf_hash BLOB    NOT NULL CHECK (length(leaf_hash) = 32),
    blob      BLOB    NOT NULL REFERENCES blob (id),
    place     INTEGER NOT NULL,
    PRIMARY KEY (leaf_hash, blob)
) STRICT, WITHOUT ROWID;

CREATE INDEX blob_open ON blob (size) WHERE attached = 0 AND doomed = 0;

CREATE INDEX blob_doomed ON blob (id) WHERE doomed = 1;

CREATE INDEX blob_use_blob ON blob_use (blob, place);
