-- +goose Up

-- SQLite makes a table of a list of more than two, for each row that it checks against it, in all that stores or finishes. What is
-- allowed stays the same, so that only the text changes: https://www.sqlite.org/lang_altertable.html#otheralter.
PRAGMA writable_schema = ON;

UPDATE sqlite_schema SET sql = replace(sql,
    'CHECK (state IN (''PENDING'', ''PARTIAL'', ''LOGGED'', ''FAILED''))',
    'CHECK (state = ''PENDING'' OR state = ''PARTIAL'' OR state = ''LOGGED'' OR state = ''FAILED'')')
WHERE type = 'table' AND name = 'submission';

UPDATE sqlite_schema SET sql = replace(sql,
    'CHECK (state IN (''PENDING'', ''LOGGED'', ''FAILED''))',
    'CHECK (state = ''PENDING'' OR state = ''LOGGED'' OR state = ''FAILED'')')
WHERE type = 'table' AND name = 'entry';

PRAGMA writable_schema = RESET;

-- Others read the tables' texts anew when an index has changed.
DROP INDEX entry_stuck;
CREATE INDEX entry_stuck ON entry (log) WHERE state = 'PENDING' AND attempts >= 10;
