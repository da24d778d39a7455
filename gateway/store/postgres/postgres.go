// SPDX-License-Identifier: Apache-2.0

// Package postgres keeps submissions, entries and checkpoints in a PostgreSQL database, for any number of gateways
// at once.
//
// Rows are the truth, and each transaction takes the locks it needs in one order: names; new submissions, and then new
// entries, in the order of their keys, since an insert waits for another one of the same key; entries that were there,
// and then submissions, in the order of their numbers. Claims pass over what is locked (SKIP LOCKED). No row is changed
// by every submission. Leases and due times go by the database's clock. A transaction
// is durable when its method returns: synchronous_commit is on for every connection, and a server with fsync off, or
// one that follows another, is refused.
//
// All that a connection is asked has a bound in time, idle transactions too, so that a gateway that is stopped or
// cut off holds its locks for maxIdle at most.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/semaphore"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/turns"
)

// Options configure a Store.
type Options struct {
	// MaxPending and MaxPendingBytes bound the pending entries of all logs together, and what is
	// stored for them: bodies, signatures and receipts; 0 is no bound. Several gateways that store at the same
	// moment may exceed them by what they store then.
	MaxPending      int
	MaxPendingBytes int64
	// Patience is how long a call waits for a connection, and a transaction for the locks of others, before it
	// fails; a whole transaction has twice as long; 0 is 10 seconds.
	Patience time.Duration
	// MaxConnections bounds the pool; 0 is 16.
	MaxConnections int
	// Warm: most of them are made at once, and kept. To make one takes long when all are busy.
	Warm bool
	// Logger logs migrations and what is retried; nil discards.
	Logger *slog.Logger
	// Now is a clock in place of the database's, for tests; nil is the database's.
	Now func() time.Time
}

// What an Option is when it is not set.
const (
	defaultPatience       = 10 * time.Second
	defaultMaxConnections = 16
)

// Store is a gateway.Store in a PostgreSQL database. It is as package sqlite's where submissions share entries.
type Store struct {
	opts     Options
	pool     *pgxpool.Pool
	lookups  *semaphore.Weighted // connections that what callers look up may have at once
	rotation turns.Rotation
	claiming claimTurns
	teller   *teller

	tenants, logs, takeovers *rowIDs[string]
	shards                   *rowIDs[gateway.Shard]

	incarnation gateway.Incarnation
	clock       *queueClock
	life        *lifeWatch
	mistrusted  mistrusted    // own logs
	changes     atomic.Uint64 // of the backlog, by this process
	charges     atomic.Uint64 // of quotas, by this process
}

// Open opens the store in the database that dsn names, a URL or keywords and values as libpq takes them, makes its
// schema where it is missing, and brings the tables up to date. What a newer release has migrated is refused. The error
// is gateway.ErrStoreUnavailable where the same may pass later.
func Open(ctx context.Context, dsn string, opts Options) (*Store, error) {
	s, err := connectStore(ctx, dsn, opts)
	if err != nil {
		return nil, wrapOpening(err)
	}
	err = migrateTables(ctx, s.pool, s.opts.Logger)
	if err == nil {
		err = refuseUnfinished(ctx, s.pool)
	}
	if err != nil {
		s.pool.Close()
		return nil, wrapOpening(err)
	}
	err = s.beginIncarnation(ctx)
	if err == nil {
		err = s.tellNewest(ctx)
	}
	if err != nil {
		s.pool.Close()
		return nil, wrapOpening(err)
	}
	return s, nil
}

// OpenBeside opens a store that is there for a command that works on it beside gateways. It migrates nothing, and
// is no opening in the sense of Incarnation: a restored store is one still for whoever opens it next.
func OpenBeside(ctx context.Context, dsn string, opts Options) (*Store, error) {
	s, err := connectStore(ctx, dsn, opts)
	if err != nil {
		return nil, wrapOpening(err)
	}
	err = requireVersion(ctx, s.pool)
	if err == nil {
		err = refuseUnfinished(ctx, s.pool)
	}
	if err != nil {
		s.pool.Close()
		return nil, wrapOpening(err)
	}
	return s, nil
}

// withDefaults returns o with what was left out.
func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Patience == 0 {
		o.Patience = defaultPatience
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = defaultMaxConnections
	}
	return o
}

// wrapOpening tells what may pass from what somebody has to mend: settings, and a server that is too old.
func wrapOpening(err error) error {
	if isInsecure(err) {
		return fmt.Errorf("opening store: %w: %w", errInsecure, err)
	}
	if isOutage(err) && (!errors.Is(err, ErrUnsafeServer) || errors.Is(err, errStandby)) {
		return fmt.Errorf("opening store: %w: %w", gateway.ErrStoreUnavailable, err)
	}
	return fmt.Errorf("opening store: %w", err)
}

func connectStore(ctx context.Context, dsn string, opts Options) (*Store, error) {
	opts = opts.withDefaults()
	watch := &lifeWatch{loss: &lossWatch{logger: opts.Logger}}
	pool, err := connectPool(ctx, dsn, opts, watch)
	if err != nil {
		return nil, err
	}
	s := &Store{
		life: watch,
		opts: opts, pool: pool, lookups: semaphore.NewWeighted(max(1, int64(pool.Config().MaxConns)/2)), clock: newQueueClock(opts.Now),
		tenants: newTenantIDs(), logs: newLogIDs(), takeovers: newTakeoverIDs(), shards: newShardIDs(),
	}
	s.teller = newTeller(s)
	return s, nil
}

// Close waits for running calls, and what is to be told, and closes all connections. Later calls fail; a second Close does nothing.
func (s *Store) Close() error {
	s.teller.waitUntilTold()
	s.pool.Close()
	return nil
}
