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

-- With which blobs the entries of a leaf hash can be sent, in whatever log: the first one that is there is.
CREATE TABLE blob_use (
    leaf_hash bytea   NOT NULL CHECK (length(leaf_hash) = 32),
    blob      bytea   NOT NULL,
    place     integer NOT NULL,
    PRIMARY KEY (leaf_hash, blob)
);

CREATE INDEX blob_open ON blob (size) WHERE NOT attached AND NOT doomed;

CREATE INDEX blob_doomed ON blob (id) WHERE doomed;

CREATE INDEX blob_use_blob ON blob_use (blob, place);

ALTER TABLE blob_part ALTER COLUMN data SET STORAGE EXTERNAL;
