-- +goose Up

-- The audit trail of submissions, in about the order of recording. What a record says of a submission is in its row. Old
-- rows are removed. As for submissions, pages are not by seq itself.
CREATE TABLE audit (
    seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant     bigint NOT NULL,
    at         bigint NOT NULL, -- milliseconds since 1970
    event      text   NOT NULL,
    submission bigint,          -- NULL: it was refused
    caller     text   NOT NULL,
    address    text   NOT NULL,
    request    text   NOT NULL,
    reason     text   NOT NULL
);

CREATE INDEX audit_newest ON audit (tenant, (seq + 0));
