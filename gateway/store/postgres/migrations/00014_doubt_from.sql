-- +goose Up

-- What a copy that was put back does not know to have been sent may be behind the checkpoint that it has kept. Whoever looks for it begins there,
-- also where a later checkpoint was kept before the search began.
ALTER TABLE checkpoint
    ADD COLUMN life text, -- of the database, as log.incarnation is, in which the checkpoint was last replaced, or the doubts were stored
    ADD COLUMN doubt_from bigint CHECK (doubt_from >= 0); -- the size kept before this life; NULL: what was pending then is in doubt, or no checkpoint was kept
