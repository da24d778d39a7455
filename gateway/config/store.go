// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
)

// Store is where submissions are kept: in one of the two.
type Store struct {
	SQLite   SQLite   `yaml:"sqlite,omitempty"`
	Postgres Postgres `yaml:"postgres,omitempty"`
}

// SQLite is the embedded store.
type SQLite struct {
	Path string `yaml:"path,omitempty"`
}

// Postgres is a store in a PostgreSQL database, for several gateways. One of the first three names the database.
type Postgres struct {
	DSN            string `yaml:"dsn,omitempty"`      // with a password, it is a secret
	DSNFile        string `yaml:"dsn_file,omitempty"` // file with it
	DSNEnv         string `yaml:"dsn_env,omitempty"`  // environment variable with it
	MaxConnections int    `yaml:"max_connections,omitempty"`
}

// defaultSQLite is the path of a store of which nothing is said.
const defaultSQLite = "rekor-gateway.db"

// notGiven is a path that no file has.
const notGiven = "\x00"

// Bounds on store.postgres.max_connections: fewer than these, and deliveries wait for submissions.
const (
	defaultConnections = 16
	minConnections     = 4
	maxConnections     = 1000
)

// IsPostgres reports whether submissions are kept in a PostgreSQL database.
func (s Store) IsPostgres() bool { return s.Postgres.DSN+s.Postgres.DSNFile+s.Postgres.DSNEnv != "" }

// completeStore sets what was not given.
func (s *Store) completeStore() {
	if s.SQLite.Path == notGiven {
		s.SQLite.Path = ""
		if s.Postgres == (Postgres{}) {
			s.SQLite.Path = defaultSQLite
		}
	}
	if s.IsPostgres() && s.Postgres.MaxConnections == 0 {
		s.Postgres.MaxConnections = defaultConnections
	}
}

func (c *Config) checkStore() error {
	s := c.Store
	ways := s.Postgres.secret().count()
	switch {
	case s.Postgres != (Postgres{}) && s.SQLite.Path != "":
		return errors.New("store: sqlite and postgres are two stores; give one of them")
	case ways > 1:
		return errors.New("store.postgres: dsn, dsn_file and dsn_env are three ways to say one thing; use one")
	case s.Postgres != (Postgres{}) && ways == 0:
		return errors.New("store.postgres: name the database with dsn, dsn_file or dsn_env")
	case ways == 0 && s.SQLite.Path == "":
		return errors.New("store.sqlite.path is empty: name a file on a local disk")
	case ways > 0 && (s.Postgres.MaxConnections < minConnections || s.Postgres.MaxConnections > maxConnections):
		return fmt.Errorf("store.postgres.max_connections is not between %d and %d", minConnections, maxConnections)
	}
	return nil
}

func (p Postgres) secret() secret { return secret{"store.postgres.dsn", p.DSN, p.DSNFile, p.DSNEnv} }

// ReadDSN returns the data source name, from wherever it is. No error of it says what that is.
func (p Postgres) ReadDSN() (string, error) { return p.secret().read("a data source name") }
