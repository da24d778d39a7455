-- +goose Up

-- Times are milliseconds since 1970, 0 is none. A submission belongs to one tenant; an
-- entry may be shared by submissions of several.

CREATE TABLE submission (
    id             TEXT    NOT NULL PRIMARY KEY,
    tenant         TEXT    NOT NULL,
    key            BLOB    NOT NULL CHECK (length(key) = 32),
    format         TEXT    NOT NULL,
    representation TEXT    NOT NULL,
    -- Follows from the entries' states; changed in the transaction that changes those.
    state          TEXT    NOT NULL CHECK (state IN ('PENDING', 'PARTIAL', 'LOGGED', 'FAILED')),
    priority       INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    digests        TEXT    NOT NULL, -- JSON array of "sha256:HEX"
    signers        BLOB    NOT NULL, -- 32 bytes each
    labels         TEXT    NOT NULL, -- JSON object
    receipt        BLOB,             -- protobuf, without log entries
    UNIQUE (tenant, key)
) STRICT;

CREATE INDEX submission_newest ON submission (tenant, created_at DESC, id DESC);
CREATE INDEX submission_newest_by_state ON submission (tenant, state, created_at DESC, id DESC);

-- For searching only, in the order of listing; what is shown stands in submission.
CREATE TABLE submission_digest (
    tenant     TEXT    NOT NULL,
    digest     TEXT    NOT NULL, -- "sha256:HEX"
    created_at INTEGER NOT NULL,
    submission TEXT    NOT NULL REFERENCES submission (id),
    PRIMARY KEY (tenant, digest, created_at DESC, submission DESC)
) STRICT, WITHOUT ROWID;

CREATE TABLE submission_signer (
    tenant     TEXT    NOT NULL,
    signer     BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    submission TEXT    NOT NULL REFERENCES submission (id),
    PRIMARY KEY (tenant, signer, created_at DESC, submission DESC)
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: an id is never given twice, so that no late outcome can meet another
-- entry's fence.
CREATE TABLE entry (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    log               TEXT    NOT NULL,
    shard             TEXT    NOT NULL DEFAULT '',
    leaf_hash         BLOB    NOT NULL CHECK (length(leaf_hash) = 32),
    tenant            TEXT    NOT NULL, -- of the first submitter
    state             TEXT    NOT NULL CHECK (state IN ('PENDING', 'LOGGED', 'FAILED')),
    priority          INTEGER NOT NULL,
    queued_at         INTEGER NOT NULL, -- when it was created, or last made pending again
    next_at           INTEGER NOT NULL DEFAULT 0, -- not claimed before
    leased_until      INTEGER NOT NULL DEFAULT 0, -- 0: no lease; may be past: expired
    fence             INTEGER NOT NULL DEFAULT 0,
    attempts          INTEGER NOT NULL DEFAULT 0,
    in_doubt          INTEGER NOT NULL DEFAULT 0,
    last_sent_at      INTEGER NOT NULL DEFAULT 0,
    sent_at_tree_size INTEGER,
    problem           TEXT    NOT NULL DEFAULT '',
    body              BLOB    NOT NULL,
    inclusion         BLOB,             -- protobuf TransparencyLogEntry
    UNIQUE (log, leaf_hash),
    CHECK ((state = 'LOGGED') = (inclusion IS NOT NULL)),
    CHECK (state = 'PENDING' OR (leased_until = 0 AND in_doubt = 0))
) STRICT;

-- next_at and leased_until let a claim pass over what waits or is leased without reading it.
CREATE INDEX entry_queue ON entry (log, priority DESC, queued_at, id, next_at, leased_until) WHERE state = 'PENDING';
CREATE INDEX entry_oldest ON entry (log, queued_at) WHERE state = 'PENDING';
CREATE INDEX entry_leased ON entry (log, leased_until) WHERE leased_until > 0;

CREATE TABLE submission_entry (
    submission TEXT    NOT NULL REFERENCES submission (id),
    role       INTEGER NOT NULL, -- position in the submission
    entry      INTEGER NOT NULL REFERENCES entry (id),
    audit_path BLOB,             -- for entries that commit to many submissions
    PRIMARY KEY (submission, role)
) STRICT, WITHOUT ROWID;

CREATE INDEX submission_entry_entry ON submission_entry (entry);

-- How many entries of each log are pending, so that bounding the queue needs no count.
-- Changed in the transaction that changes the entries.
CREATE TABLE queue (
    log     TEXT    NOT NULL PRIMARY KEY,
    pending INTEGER NOT NULL CHECK (pending >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoint (
    origin   TEXT    NOT NULL PRIMARY KEY,
    size     INTEGER NOT NULL CHECK (size >= 0),
    root     BLOB    NOT NULL CHECK (length(root) = 32),
    envelope BLOB    NOT NULL
) STRICT;

-- Evidence: pairs of checkpoints that contradict each other. Rows are never removed.
CREATE TABLE fork (
    origin     TEXT    NOT NULL,
    found_at   INTEGER NOT NULL,
    a_size     INTEGER NOT NULL,
    a_root     BLOB    NOT NULL,
    a_envelope BLOB    NOT NULL,
    b_size     INTEGER NOT NULL,
    b_root     BLOB    NOT NULL,
    b_envelope BLOB    NOT NULL,
    UNIQUE (origin, a_envelope, b_envelope)
) STRICT;
