-- +goose Up

-- What witnesses have signed over anchored checkpoints of the gateway's own logs: of each witness the newest one.
CREATE TABLE own_cosignature (
    log     INTEGER NOT NULL REFERENCES own_log (log),
    size    INTEGER NOT NULL, -- of an anchor
    witness TEXT    NOT NULL, -- its verifier key
    time    INTEGER NOT NULL, -- when it was made, in seconds since 1970
    line    TEXT    NOT NULL, -- of the signed note
    PRIMARY KEY (log, size, witness)
) STRICT, WITHOUT ROWID;
