-- +goose Up

-- What a copy that was put back does not know to have been sent may be behind the checkpoint that it has kept. Whoever looks for it begins there,
-- also where a later checkpoint was kept before the search began.
-- It is the size kept before this process; NULL: what was pending then is in doubt, or no checkpoint was kept.
ALTER TABLE checkpoint ADD COLUMN doubt_from INTEGER CHECK (doubt_from >= 0);
