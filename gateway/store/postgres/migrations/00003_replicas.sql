-- +goose Up

-- The gateways that share this store. beat is counted with each renewal: one whose beat stands still for some seconds,
-- as the others see it, is dead. seq is the order in which they came.
CREATE TABLE replica (
    seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         text   NOT NULL UNIQUE,
    beat       bigint NOT NULL,
    name       text   NOT NULL,
    version    text   NOT NULL,
    started_at bigint NOT NULL,
    seen_at    bigint NOT NULL,
    parts      text   NOT NULL -- JSON object
) WITH (fillfactor = 50);

-- What of a log's limits each of them may use.
CREATE TABLE share (
    log       text   NOT NULL,
    replica   bigint NOT NULL, -- its seq
    in_flight bigint NOT NULL CHECK (in_flight >= 0),
    rate      bigint NOT NULL CHECK (rate >= 0), -- thousandths of an entry a second
    burst     bigint NOT NULL CHECK (burst >= 0),
    PRIMARY KEY (log, replica)
) WITH (fillfactor = 50);
