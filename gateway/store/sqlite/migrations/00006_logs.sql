-- +goose Up

-- A retired log has nothing pending, and gets nothing more. See retire.go.
ALTER TABLE log ADD COLUMN retired INTEGER NOT NULL DEFAULT 0 CHECK (retired IN (0, 1));

-- Which logs may take the entries of a submission over from one another: IDs, as a sorted JSON array.
CREATE TABLE takeover (
    id   INTEGER PRIMARY KEY,
    logs TEXT NOT NULL UNIQUE
) STRICT;

ALTER TABLE submission ADD COLUMN takeover INTEGER REFERENCES takeover (id);
