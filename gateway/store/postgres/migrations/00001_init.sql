-- +goose Up

-- Times are milliseconds since 1970 by the database's clock, 0 is none. Binary forms are those of package store.
-- What changes and what lists show is hot; what is large and read once or never (submission_blob, entry_blob) is
-- cold, and in tables of its own.
--
-- There are no foreign keys: each row would lock the tenant's and the log's, which all replicas have in common.
-- Rows of tenant, log, shard and takeover are never removed, and all others of a submission are stored with it.

CREATE TABLE tenant (
    id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text   NOT NULL UNIQUE
);

-- incarnation is the life of the database in which all that was pending for the log was put in doubt, or in which the
-- row was made, when nothing was: see incarnation.go. A retired log has nothing pending, and gets nothing more.
CREATE TABLE log (
    id          bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text    NOT NULL UNIQUE,
    retired     boolean NOT NULL DEFAULT false,
    incarnation text    NOT NULL DEFAULT ''
);

-- How many entries are pending, and the bytes stored for them, as changes whose sum it is: each transaction that
-- changes entries adds a row for each log, so that no two of them wait for each other. Rows are summed up now and
-- then: see backlog.go.
CREATE TABLE backlog (
    id      bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    log     bigint  NOT NULL,
    entries bigint  NOT NULL,
    bytes   bigint  NOT NULL
);

CREATE TABLE shard (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    origin text   NOT NULL,
    key_id bytea  NOT NULL CHECK (length(key_id) = 32),
    UNIQUE (origin, key_id)
);

-- Which logs may take the entries of a submission over from one another: IDs, as a sorted JSON array.
CREATE TABLE takeover (
    id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    logs text   NOT NULL UNIQUE
);

-- A submission belongs to one tenant. seq is about the order of storing, and is that of lists.
CREATE TABLE submission (
    seq        bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         uuid    NOT NULL UNIQUE,
    tenant     bigint  NOT NULL,
    key        bytea   NOT NULL CHECK (length(key) = 32),
    format     text    NOT NULL,
    -- Follows from the entries' states; changed in the transaction that changes those.
    state      text    NOT NULL CHECK (state IN ('PENDING', 'PARTIAL', 'LOGGED', 'FAILED')),
    needed     integer NOT NULL CHECK (needed > 0), -- logs
    priority   integer NOT NULL CHECK (priority IN (-1, 0)),
    created_at bigint  NOT NULL,
    digests    bytea   NOT NULL,
    signatures bytea   NOT NULL,
    labels     text    NOT NULL, -- JSON object, as it was given
    takeover   bigint ,
    UNIQUE (tenant, key)
);

CREATE INDEX submission_newest ON submission (tenant, seq);
CREATE INDEX submission_newest_by_state ON submission (tenant, state, seq) WHERE state <> 'LOGGED';

-- For searching only; what is shown stands in submission. The prefix is of the digest's binary form, and of the
-- signer.
CREATE TABLE submission_digest (
    tenant     bigint NOT NULL,
    prefix     bytea  NOT NULL CHECK (length(prefix) = 16),
    submission bigint NOT NULL,
    PRIMARY KEY (tenant, prefix, submission)
);

CREATE TABLE submission_signer (
    tenant     bigint NOT NULL,
    prefix     bytea  NOT NULL CHECK (length(prefix) = 16),
    submission bigint NOT NULL,
    PRIMARY KEY (tenant, prefix, submission)
);

CREATE TABLE submission_blob (
    submission bigint PRIMARY KEY,
    receipt    bytea  NOT NULL -- protobuf, without proofs
);

-- An entry may be shared by submissions of several tenants; it belongs to the tenant of the first that needs it.
-- An id is never given twice, so that no late outcome can meet another entry's fence. An older copy that was put back
-- may do so: fences grow by random steps.
CREATE TABLE entry (
    id                bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    log               bigint  NOT NULL,
    tenant            bigint  NOT NULL,
    leaf_hash         bytea   NOT NULL CHECK (length(leaf_hash) = 32),
    kind              text    NOT NULL,
    shard             bigint , -- that it was last claimed for
    state             text    NOT NULL CHECK (state IN ('PENDING', 'LOGGED', 'FAILED')),
    priority          integer NOT NULL CHECK (priority IN (-1, 0)),
    queued_at         bigint  NOT NULL, -- when it was created, or last made pending again
    next_at           bigint  NOT NULL DEFAULT 0, -- not claimed before
    leased_until      bigint  NOT NULL DEFAULT 0, -- 0: no lease; may be past: expired
    fence             bigint  NOT NULL DEFAULT 0,
    attempts          integer NOT NULL DEFAULT 0,
    in_doubt          boolean NOT NULL DEFAULT false,
    last_sent_at      bigint  NOT NULL DEFAULT 0,
    sent_at_tree_size bigint,
    absent_to         bigint  NOT NULL DEFAULT 0, -- index up to which absence is proven
    log_index         bigint,
    problem           text    NOT NULL DEFAULT '',
    bytes             bigint  NOT NULL DEFAULT 0, -- stored for it while it waits
    UNIQUE (log, leaf_hash),
    CHECK ((state = 'LOGGED') = (log_index IS NOT NULL)),
    CHECK (state = 'PENDING' OR (leased_until = 0 AND NOT in_doubt))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);

-- What may be sent now (next_at is 0) stands by whose turn it is, and apart from what waits for its time.
CREATE INDEX entry_queue ON entry (log, priority, next_at, tenant, queued_at, id) WHERE state = 'PENDING' AND NOT in_doubt;
CREATE INDEX entry_doubtful ON entry (log, id) WHERE in_doubt AND leased_until = 0;
CREATE INDEX entry_oldest ON entry (log, queued_at) WHERE state = 'PENDING';
CREATE INDEX entry_leased ON entry (log, leased_until) WHERE leased_until > 0;
CREATE INDEX entry_stuck ON entry (log) WHERE state = 'PENDING' AND attempts >= 10;

CREATE TABLE entry_blob (
    entry          bigint PRIMARY KEY,
    body           bytea  NOT NULL,
    signature      bytea, -- what an RFC 3161 timestamp of the entry is over
    inclusion_kind text,
    inclusion      bytea,
    tokens         bytea, -- RFC 3161 timestamps
    CHECK ((inclusion_kind IS NULL) = (inclusion IS NULL))
);

CREATE TABLE submission_entry (
    submission bigint  NOT NULL,
    role       integer NOT NULL, -- position in the submission
    entry      bigint  NOT NULL,
    of         integer NOT NULL DEFAULT 0, -- index of the signature it records
    PRIMARY KEY (submission, role)
);

CREATE INDEX submission_entry_entry ON submission_entry (entry);

-- Checkpoints and forks belong to a shard: origin and key.
CREATE TABLE checkpoint (
    origin   text   NOT NULL,
    key_id   bytea  NOT NULL CHECK (length(key_id) = 32), -- the log's id in the trusted root
    size     bigint NOT NULL CHECK (size >= 0),
    root     bytea  NOT NULL CHECK (length(root) = 32),
    envelope bytea  NOT NULL,
    PRIMARY KEY (origin, key_id)
);

-- Evidence: pairs of checkpoints that contradict each other, with the proof. Rows are never removed. pair is
-- SHA-256 over both envelopes, each behind its length, since an index takes no more than 2.7 KB.
CREATE TABLE fork (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    origin         text   NOT NULL,
    key_id         bytea  NOT NULL CHECK (length(key_id) = 32),
    found_at       bigint NOT NULL,
    small_size     bigint NOT NULL,
    small_root     bytea  NOT NULL,
    small_envelope bytea  NOT NULL,
    large_size     bigint NOT NULL,
    large_root     bytea  NOT NULL,
    large_envelope bytea  NOT NULL,
    prefix_root    bytea  NOT NULL, -- of the large one's tree at small_size; empty is not known
    consistency    bytea  NOT NULL, -- from prefix_root to large_root: 32 bytes each
    pair           bytea  NOT NULL CHECK (length(pair) = 32),
    UNIQUE (origin, key_id, pair)
);

-- One row: the database that was last opened. See incarnation.go.
CREATE TABLE incarnation (
    id     integer PRIMARY KEY CHECK (id = 1),
    server text    NOT NULL
);
