-- +goose Up

-- What witnesses say of own logs that this store does not know, and for how long they have.
CREATE TABLE own_contradiction (
    log     bigint NOT NULL,
    witness text   NOT NULL, -- its verifier key
    size    bigint NOT NULL CHECK (size >= 0), -- records that it has cosigned; 0: another root
    lasted  bigint NOT NULL CHECK (lasted >= 0), -- seconds
    PRIMARY KEY (log, witness)
);
