-- +goose Up

-- What was stored on a day (since 1970, UTC), by whose it is, as changes whose sum it is, like backlog. Days that are
-- over are removed as rows are summed up: see quota.go.
CREATE TABLE quota_use (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant      bigint NOT NULL,
    subject     text   NOT NULL,
    day         bigint NOT NULL,
    submissions bigint NOT NULL,
    bytes       bigint NOT NULL
);

CREATE INDEX quota_use_subject ON quota_use (day, tenant, subject);

-- Whose quota bounds what is pending; NULL where none does.
ALTER TABLE submission ADD COLUMN subject text;

CREATE INDEX submission_waiting ON submission (tenant, subject) WHERE subject IS NOT NULL AND state IN ('PENDING', 'PARTIAL');
