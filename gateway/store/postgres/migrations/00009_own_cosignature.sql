-- +goose Up

-- What witnesses have signed over anchored checkpoints of the gateway's own logs: of each witness the newest one.
CREATE TABLE own_cosignature (
    log     bigint NOT NULL,
    size    bigint NOT NULL, -- of an anchor
    witness text   NOT NULL, -- its verifier key
    time    bigint NOT NULL, -- when it was made, in seconds since 1970
    line    text   NOT NULL, -- of the signed note
    PRIMARY KEY (log, size, witness)
);
