-- +goose Up

-- A copy that was put back does not know what went over to a log since, from another one that refused it, and was sent there. What waits for another log
-- when the doubts of this one are stored, and comes over later, is looked for before it is sent.
ALTER TABLE log
    ADD COLUMN sent_until bigint, -- queued_at of the newest entry that was pending for another log then; NULL: none was
    ADD COLUMN sent_shard bigint, -- where such an entry may be
    ADD COLUMN sent_from bigint CHECK (sent_from >= 0); -- from where on; NULL: no checkpoint was kept
