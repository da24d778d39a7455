-- +goose Up

-- Logs whose entries are listed once they are Logged, and those that are: see own_mirror.go.
CREATE TABLE mirror (
    log bigint PRIMARY KEY
);

CREATE TABLE mirror_due (
    log   bigint NOT NULL,
    entry bigint NOT NULL,
    PRIMARY KEY (log, entry)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
