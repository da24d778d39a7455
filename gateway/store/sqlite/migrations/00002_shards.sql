-- +goose Up

-- Checkpoints and forks belong to a shard: origin and key. Rows of the first schema do not say
-- whose key it was: theirs is x''. Such a checkpoint holds for every key of its origin until the
-- first one is kept over it, such a fork for every key of its origin for ever.

ALTER TABLE checkpoint RENAME TO old_checkpoint;

CREATE TABLE checkpoint (
    origin   TEXT    NOT NULL,
    key_id   BLOB    NOT NULL CHECK (length(key_id) IN (0, 32)), -- the log's id in the trusted root
    size     INTEGER NOT NULL CHECK (size >= 0),
    root     BLOB    NOT NULL CHECK (length(root) = 32),
    envelope BLOB    NOT NULL,
    PRIMARY KEY (origin, key_id)
) STRICT;

INSERT INTO checkpoint (origin, key_id, size, root, envelope)
SELECT origin, x'', size, root, envelope FROM old_checkpoint;

DROP TABLE old_checkpoint;

ALTER TABLE fork RENAME TO old_fork;

-- Evidence: pairs of checkpoints that contradict each other, with the proof. Rows are never
-- removed.
CREATE TABLE fork (
    id             INTEGER PRIMARY KEY,
    origin         TEXT    NOT NULL,
    key_id         BLOB    NOT NULL CHECK (length(key_id) IN (0, 32)),
    found_at       INTEGER NOT NULL,
    small_size     INTEGER NOT NULL,
    small_root     BLOB    NOT NULL,
    small_envelope BLOB    NOT NULL,
    large_size     INTEGER NOT NULL,
    large_root     BLOB    NOT NULL,
    large_envelope BLOB    NOT NULL,
    prefix_root    BLOB    NOT NULL, -- of the large one's tree at small_size; x'' is not known
    consistency    BLOB    NOT NULL, -- from prefix_root to large_root: 32 bytes each
    UNIQUE (origin, key_id, small_envelope, large_envelope)
) STRICT;

-- The first schema kept no proof. Of two sizes that are equal, none is needed.
INSERT INTO fork (origin, key_id, found_at, small_size, small_root, small_envelope,
                  large_size, large_root, large_envelope, prefix_root, consistency)
SELECT origin, x'', found_at, a_size, a_root, a_envelope, b_size, b_root, b_envelope,
       CASE WHEN a_size = b_size THEN b_root ELSE x'' END, x''
FROM old_fork ORDER BY rowid;

DROP TABLE old_fork;
