-- +goose Up

-- The few entries that were tried again and again, which a metric counts.
CREATE INDEX entry_stuck ON entry (log) WHERE state = 'PENDING' AND attempts >= 10;
