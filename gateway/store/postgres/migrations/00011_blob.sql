-- +goose Up

-- Artifacts that are spooled until they are sent, in parts: see gateway.BlobStore.
CREATE TABLE blob (
    id         bytea   PRIMARY KEY CHECK (length(id) = 16),
    size       bigint  NOT NULL CHECK (size > 0), -- of the parts that are there
    parts      integer NOT NULL CHECK (parts > 0),
    attached   boolean NOT NULL DEFAULT false,    -- it was enqueued: pending entries alone keep it
    doomed     boolean NOT NULL DEFAULT false,    -- it is being removed
    touched_at bigint  NOT NULL,                  -- by the clock of the queue
    sha256     bytea   CHECK (length(sha256) = 32) -- once attached
);

-- Its bytes are compressed already as a rule.
CREATE TABLE blob_part (
    blob bytea   NOT NULL,
    part integer NOT NULL,
    data bytea   NOT NULL,
    PRIMARY KEY (blob, part)
);

-- With which blob the entries of a leaf hash are sent, in whatever log.
CREATE TABLE blob_use (
    leaf_hash bytea PRIMARY KEY CHECK (length(leaf_hash) = 32),
    blob      bytea NOT NULL
);

CREATE INDEX blob_open ON blob (size) WHERE NOT attached AND NOT doomed;

CREATE INDEX blob_use_blob ON blob_use (blob);

ALTER TABLE blob_part ALTER COLUMN data SET STORAGE EXTERNAL;
