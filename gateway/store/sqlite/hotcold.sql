-- Times are milliseconds since 1970, 0 is none. Binary forms are those of package store.
-- What changes and what lists show is hot; what is large and read once or never (submission_blob,
-- entry_blob) is cold, and in tables of its own, so that hot rows lie close together.

CREATE TABLE tenant (
    id   INTEGER PRIMARY KEY,
    name TEXT    NOT NULL UNIQUE
) STRICT;

-- pending is how many entries are, so that bounding the queue needs no count. It is changed in
-- the transaction that changes the entries.
CREATE TABLE log (
    id      INTEGER PRIMARY KEY,
    name    TEXT    NOT NULL UNIQUE,
    pending INTEGER NOT NULL DEFAULT 0 CHECK (pending >= 0)
) STRICT;

CREATE TABLE shard (
    id     INTEGER PRIMARY KEY,
    origin TEXT    NOT NULL,
    key_id BLOB    NOT NULL CHECK (length(key_id) = 32),
    UNIQUE (origin, key_id)
) STRICT;

-- A submission belongs to one tenant. seq is the order of storing, which is that of lists.
CREATE TABLE submission (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         BLOB    NOT NULL UNIQUE CHECK (length(id) = 16), -- UUID
    tenant     INTEGER NOT NULL REFERENCES tenant (id),
    key        BLOB    NOT NULL CHECK (length(key) = 32),
    format     TEXT    NOT NULL,
    -- Follows from the entries' states; changed in the transaction that changes those.
    state      TEXT    NOT NULL CHECK (state IN ('PENDING', 'PARTIAL', 'LOGGED', 'FAILED')),
    needed     INTEGER NOT NULL CHECK (needed > 0), -- logs
    priority   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    digests    BLOB    NOT NULL,
    signatures BLOB    NOT NULL,
    labels     TEXT    NOT NULL, -- JSON object
    UNIQUE (tenant, key)
) STRICT;

-- Every index ends with seq, the row's own number: these are in the order of lists.
CREATE INDEX submission_newest ON submission (tenant);
CREATE INDEX submission_newest_by_state ON submission (tenant, state);

-- For searching only; what is shown stands in submission. The prefix is of the digest's binary
-- form, and of the signer.
CREATE TABLE submission_digest (
    tenant     INTEGER NOT NULL,
    prefix     BLOB    NOT NULL CHECK (length(prefix) = 16),
    submission INTEGER NOT NULL REFERENCES submission (seq),
    PRIMARY KEY (tenant, prefix, submission DESC)
) STRICT, WITHOUT ROWID;

CREATE TABLE submission_signer (
    tenant     INTEGER NOT NULL,
    prefix     BLOB    NOT NULL CHECK (length(prefix) = 16),
    submission INTEGER NOT NULL REFERENCES submission (seq),
    PRIMARY KEY (tenant, prefix, submission DESC)
) STRICT, WITHOUT ROWID;

CREATE TABLE submission_blob (
    submission INTEGER PRIMARY KEY REFERENCES submission (seq),
    receipt    BLOB    NOT NULL -- protobuf, without proofs
) STRICT;

-- An entry may be shared by submissions of several tenants. AUTOINCREMENT: an id is never given
-- twice, so that no late outcome can meet another entry's fence.
CREATE TABLE entry (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    log               INTEGER NOT NULL REFERENCES log (id),
    leaf_hash         BLOB    NOT NULL CHECK (length(leaf_hash) = 32),
    kind              TEXT    NOT NULL,
    shard             INTEGER REFERENCES shard (id), -- that it was first claimed for
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
    absent_to         INTEGER NOT NULL DEFAULT 0, -- index up to which absence is proven
    log_index         INTEGER,
    problem           TEXT    NOT NULL DEFAULT '',
    UNIQUE (log, leaf_hash),
    CHECK ((state = 'LOGGED') = (log_index IS NOT NULL)),
    CHECK (state = 'PENDING' OR (leased_until = 0 AND in_doubt = 0))
) STRICT;

-- next_at and leased_until let a claim pass over what waits or is leased without reading it.
CREATE INDEX entry_queue ON entry (log, priority DESC, queued_at, id, next_at, leased_until) WHERE state = 'PENDING';
CREATE INDEX entry_oldest ON entry (log, queued_at) WHERE state = 'PENDING';
CREATE INDEX entry_leased ON entry (log, leased_until) WHERE leased_until > 0;

CREATE TABLE entry_blob (
    entry          INTEGER PRIMARY KEY REFERENCES entry (id),
    body           BLOB    NOT NULL,
    signature      BLOB, -- what an RFC 3161 timestamp of the entry is over
    inclusion_kind TEXT,
    inclusion      BLOB,
    tokens         BLOB, -- RFC 3161 timestamps
    CHECK ((inclusion_kind IS NULL) = (inclusion IS NULL))
) STRICT;

CREATE TABLE submission_entry (
    submission INTEGER NOT NULL REFERENCES submission (seq),
    role       INTEGER NOT NULL, -- position in the submission
    entry      INTEGER NOT NULL REFERENCES entry (id),
    of         INTEGER NOT NULL DEFAULT 0, -- index of the signature it records
    PRIMARY KEY (submission, role)
) STRICT, WITHOUT ROWID;

CREATE INDEX submission_entry_entry ON submission_entry (entry);

-- One row: the nonce of the last opening. See incarnation.go.
CREATE TABLE incarnation (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    nonce BLOB    NOT NULL CHECK (length(nonce) = 16)
) STRICT;
