// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

// Store is a store with who opened it: he closes it.
type Store interface {
	gateway.Store
	Close() error
}

// storePatience is how long a start waits for a database that cannot be reached: as long as one takes that starts at the same
// time, or whose standby takes over.
const storePatience = time.Minute

func (s *Server) openStore(ctx context.Context, cfg *config.Config) error {
	store, name, err := openStore(ctx, cfg, s.logger)
	if err != nil {
		return err
	}
	s.signals, _ = store.(gateway.Signals)
	s.replicas, _ = store.(gateway.Replicas)
	if file, ok := store.(*sqlite.Store); ok {
		s.inside = file.FreeInside
	}
	store = withSignals(store)
	s.store = s.tracing.watchStore(withStorePoints(measuredStore{store, s.metrics.store}))
	s.warnOfCopy(store.Incarnation(), name)
	return nil
}

// openStore opens the store that cfg names, and returns how the operator calls it.
func openStore(ctx context.Context, cfg *config.Config, logger *slog.Logger) (_ Store, name string, err error) {
	if cfg.Store.IsPostgres() {
		return awaitPostgres(ctx, cfg, logger)
	}
	store, err := sqlite.Open(ctx, cfg.Store.SQLite.Path, sqlite.Options{
		MaxPending: cfg.Limits.MaxPending, MaxPendingBytes: int64(cfg.Limits.MaxPendingBytes), Logger: logger,
	})
	if err != nil { // and no interface that holds a nil
		return nil, "", err
	}
	return store, cfg.Store.SQLite.Path, nil
}

// awaitPostgres opens a store in a database, for which it waits for storePatience.
func awaitPostgres(ctx context.Context, cfg *config.Config, logger *slog.Logger) (_ Store, name string, err error) {
	dsn, name, err := nameDatabase(cfg.Store.Postgres)
	if err != nil {
		return nil, "", err
	}
	store, err := backoff.Retry(ctx, func() (*postgres.Store, error) {
		store, err := postgres.Open(ctx, dsn, postgres.Options{
			MaxPending: cfg.Limits.MaxPending, MaxPendingBytes: int64(cfg.Limits.MaxPendingBytes),
			MaxConnections: cfg.Store.Postgres.MaxConnections, Warm: true, Logger: logger,
		})
		if err != nil && !errors.Is(err, gateway.ErrStoreUnavailable) {
			err = backoff.Permanent(err)
		}
		return store, err
	}, backoff.WithMaxElapsedTime(storePatience), backoff.WithBackOff(&backoff.ExponentialBackOff{
		InitialInterval: 250 * time.Millisecond, RandomizationFactor: 0.5, Multiplier: 1.5, MaxInterval: 5 * time.Second,
	}), backoff.WithNotify(func(err error, again time.Duration) {
		logger.WarnContext(ctx, "the database cannot be reached; it is tried again", "store", name, "error", err, "in", again.Round(time.Millisecond), "for", storePatience)
	}))
	if err != nil {
		return nil, "", err
	}
	return store, name, nil
}

// nameDatabase returns the data source name of a database, and what it may be called where others can read it.
func nameDatabase(c config.Postgres) (dsn, name string, err error) {
	if dsn, err = c.ReadDSN(); err != nil {
		return "", "", err
	}
	name, err = postgres.Describe(dsn)
	if err != nil {
		return "", "", fmt.Errorf("store.postgres: %w", err)
	}
	return dsn, name, nil
}

// OpenStore opens the store that cfg names for a command that works on it beside gateways. It migrates nothing, and does not wait
// for a database. The caller closes it.
func OpenStore(ctx context.Context, cfg *config.Config) (Store, error) {
	if !cfg.Store.IsPostgres() {
		store, err := sqlite.OpenBeside(ctx, cfg.Store.SQLite.Path, sqlite.Options{})
		if err != nil {
			return nil, err
		}
		return store, nil
	}
	store, err := openBeside(ctx, cfg.Store.Postgres)
	if err != nil {
		return nil, err
	}
	return withSignals(store), nil
}

// Replicas is a gateway.Replicas with who opened it: he closes it.
type Replicas interface {
	gateway.Replicas
	Close() error
}

// OpenReplicas is OpenStore for a command that asks who shares a store in a database.
func OpenReplicas(ctx context.Context, cfg *config.Config) (Replicas, error) {
	store, err := openBeside(ctx, cfg.Store.Postgres)
	if err != nil {
		return nil, err
	}
	return store, nil
}

func openBeside(ctx context.Context, c config.Postgres) (*postgres.Store, error) {
	dsn, _, err := nameDatabase(c)
	if err != nil {
		return nil, err
	}
	return postgres.OpenBeside(ctx, dsn, postgres.Options{MaxConnections: 2})
}

// checkStore checks what names a store, without opening it.
func checkStore(c config.Store) error {
	if c.IsPostgres() {
		_, _, err := nameDatabase(c.Postgres)
		return err
	}
	if folder := filepath.Dir(c.SQLite.Path); !exists(folder) {
		return fmt.Errorf("store.sqlite.path: there is no folder %s", folder)
	}
	return nil
}

// warnOfCopy tells the operator what a store that is not the one last used may cost. What is pending in it is safe either way.
func (s *Server) warnOfCopy(i gateway.Incarnation, name string) {
	const settled = "what is pending is looked for in its log before it is sent; see docs/operations.md, and docs/postgres.md of a database"
	switch {
	case i.Restored:
		s.logger.Warn("an older copy of the store was put in place of the one that was last used; what was accepted since that copy is lost",
			"store", name, "pending", settled)
	case i.Copied:
		s.logger.Warn("the store is a copy of the one that was last used: when it is an older one, put back with its whole folder, what was accepted since that copy is lost; "+
			"when the folder was moved while no gateway was at work, all is well", "store", name, "pending", settled)
	}
}
