-- +goose Up

-- An own log that has ended at its last anchor: see own_close.go.
ALTER TABLE own_log ADD COLUMN closed INTEGER NOT NULL DEFAULT 0 CHECK (closed IN (0, 1));
