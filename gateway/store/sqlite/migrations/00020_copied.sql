-- +goose Up

-- What is pending in a store that was put back may have been sent until then, also as a process sees it that only finds a restart: another one has
-- opened the store before. It is set when such a store is opened, and ends when what is pending for the log is in doubt, and counts as sent then.
ALTER TABLE log ADD COLUMN copied INTEGER NOT NULL DEFAULT 0 CHECK (copied IN (0, 1));
