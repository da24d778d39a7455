-- +goose Up

-- A copy that was put back does not know what went over to a log since, from another one that refused it, and was sent there. What waits for another log
-- when the doubts of this one are stored, and comes over later, is looked for before it is sent.
ALTER TABLE log ADD COLUMN sent_until INTEGER; -- queued_at of the newest entry that was pending for another log then; NULL: none was
ALTER TABLE log ADD COLUMN sent_shard INTEGER REFERENCES shard (id); -- where such an entry may be
ALTER TABLE log ADD COLUMN sent_from INTEGER CHECK (sent_from >= 0); -- from where on; NULL: no checkpoint was kept
