-- +goose Up

-- Logs whose entries are listed once they are Logged, and those that are: see own_mirror.go.
CREATE TABLE mirror (
    log INTEGER PRIMARY KEY REFERENCES log (id)
) STRICT;

CREATE TABLE mirror_due (
    log   INTEGER NOT NULL REFERENCES mirror (log),
    entry INTEGER NOT NULL,
    PRIMARY KEY (log, entry)
) STRICT, WITHOUT ROWID;
