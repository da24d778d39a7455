-- +goose Up

-- One row: that all of this was copied from another store, or is being copied. See copied.go.
CREATE TABLE copied (
    id       integer PRIMARY KEY CHECK (id = 1),
    source   text    NOT NULL, -- names the state of the other store
    finished boolean NOT NULL DEFAULT false
);
