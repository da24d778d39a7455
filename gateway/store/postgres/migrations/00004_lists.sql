-- +goose Up

-- Lists are not by seq itself, so that no plan walks through all tenants' submissions for those of one.
DROP INDEX submission_newest;
CREATE INDEX submission_newest ON submission (tenant, (seq + 0));

DROP INDEX submission_newest_by_state;
CREATE INDEX submission_newest_by_state ON submission (tenant, state, (seq + 0)) WHERE state <> 'LOGGED';
