-- +goose Up

-- What witnesses say of own logs that this store does not know, and for how long they have.
CREATE TABLE own_contradiction (
    log     INTEGER NOT NULL REFERENCES own_log (log),
    witness TEXT    NOT NULL, -- its verifier key
    size    INTEGER NOT NULL CHECK (size >= 0), -- records that it has cosigned; 0: another root
    lasted  INTEGER NOT NULL CHECK (lasted >= 0), -- seconds
    PRIMARY KEY (log, witness)
) STRICT, WITHOUT ROWID;
