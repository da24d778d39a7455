// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
)

// schema holds all tables, so that a database may be shared with other programs.
const schema = "rekor_gateway"

const (
	// oldestServer is the oldest PostgreSQL that is still maintained.
	oldestServer = 140000

	// maxIdle is how long a transaction may wait for its gateway. One that was stopped in the middle of a
	// transaction has it undone after that time, and its locks are free.
	maxIdle = 5 * time.Second

	// cancelDelay is how much longer than its caller a statement may take before its connection is closed for it. Most are done by
	// then: callers that hang up by the thousand must not cost a new connection each.
	cancelDelay = 250 * time.Millisecond
)

// ErrUnsafeServer is returned for a server that would not keep what it has acknowledged, or takes nothing.
var ErrUnsafeServer = errors.New("not a server that a store can be kept in")

// IsRefused reports whether err is a server's that does not let the gateway in as what it comes: for its name or password, for a
// database that there is not, or for rights that its role lacks.
func IsRefused(err error) bool {
	var server *pgconn.PgError
	if !errors.As(err, &server) {
		return false
	}
	switch server.Code {
	case "28000", "28P01", "3D000", "42501": // invalid_authorization_specification, invalid_password, invalid_catalog_name, insufficient_privilege
		return true
	}
	return false
}

// errStandby is returned for a server that may take over from the one it follows.
var errStandby = fmt.Errorf("%w: it is a standby, which takes no writes: name the primary, or add target_session_attrs=read-write and both hosts", ErrUnsafeServer)

// errInsecure is returned for a server that cannot be spoken to as sslmode asks.
var errInsecure = fmt.Errorf("%w: it has no TLS, or no certificate, that sslmode and sslrootcert in the data source name ask for", ErrUnsafeServer)

// noTLS is how pgconn says that a server has no TLS.
const noTLS = "server refused TLS connection"

// isInsecure reports whether err is that a server, and each one where several are named, has no TLS as it is asked for: no later try changes that.
func isInsecure(err error) bool {
	var connect *pgconn.ConnectError
	if !errors.As(err, &connect) {
		return false
	}
	each := []error{connect.Unwrap()}
	if several, ok := each[0].(interface{ Unwrap() []error }); ok {
		each = several.Unwrap()
	}
	return !slices.ContainsFunc(each, func(err error) bool {
		var certificate *tls.CertificateVerificationError
		return !errors.As(err, &certificate) && !strings.HasSuffix(err.Error(), noTLS)
	})
}

// connectPool connects to the database, and fails unless one connection can be made.
func connectPool(ctx context.Context, dsn string, opts Options, watch *lifeWatch) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, hideSecrets(err)
	}
	config.MaxConns = int32(min(opts.MaxConnections, 1000))
	if opts.Warm { // more than what callers look up may have, see lookUpTx
		config.MinConns = config.MaxConns / 4 * 3
	}
	config.ConnConfig.ConnectTimeout = opts.Patience
	config.ConnConfig.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.DeadlineContextWatcherHandler{Conn: conn.Conn(), DeadlineDelay: cancelDelay}
	}
	params := config.ConnConfig.RuntimeParams
	params["search_path"] = schema
	params["application_name"] = "rekor-gateway"
	params["timezone"] = "UTC"
	params["default_transaction_isolation"] = "read committed"
	params["synchronous_commit"] = "on"
	params["lock_timeout"] = milliseconds(opts.Patience)
	params["statement_timeout"] = milliseconds(2 * opts.Patience)
	params["idle_in_transaction_session_timeout"] = milliseconds(maxIdle)
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		if err := refuseUnsafe(ctx, conn); err != nil {
			return err
		}
		return watch.noteLife(ctx, conn)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	watch.setPool(pool)
	ctx, cancel := context.WithTimeout(ctx, opts.Patience)
	defer cancel()
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return pool, nil
}

// hideSecrets is for an error of parsing a DSN, which may quote what it could not read.
func hideSecrets(err error) error {
	var parse *pgconn.ParseConfigError
	switch {
	case !errors.As(err, &parse):
		return err
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission):
		return errors.New("a file that the data source name names (sslrootcert, sslcert, sslkey) cannot be read")
	default:
		return errors.New("the data source name cannot be parsed: give a URL (postgres://USER@HOST/DATABASE) or keywords and values (host=… user=… dbname=…)")
	}
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// refuseUnsafe looks at each new connection's server, since the next one may be another.
func refuseUnsafe(ctx context.Context, conn *pgx.Conn) error {
	var version int
	var fsync, commit string
	var standby bool
	err := conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('fsync'),
    current_setting('synchronous_commit'), pg_is_in_recovery()`).Scan(&version, &fsync, &commit, &standby)
	switch {
	case err != nil:
		return fmt.Errorf("asking the server what it is: %w", err)
	case version < oldestServer:
		return fmt.Errorf("%w: it is of version %d, and %d is the oldest that will do", ErrUnsafeServer, version/10000, oldestServer/10000)
	case standby:
		return errStandby
	case fsync != "on":
		return fmt.Errorf("%w: fsync is %s, so that a crash may lose what was acknowledged: set it on", ErrUnsafeServer, fsync)
	case commit != "on" && commit != "remote_apply":
		return fmt.Errorf("%w: synchronous_commit is %s in spite of what was asked for: connect without a pooler that keeps its own settings", ErrUnsafeServer, commit)
	}
	return nil
}

// acquireConn takes a connection out of the pool, for which it waits for Options.Patience.
func (s *Store) acquireConn(ctx context.Context) (*pgxpool.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.opts.Patience, errNoConnection)
	defer cancel()
	conn, err := s.pool.Acquire(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errNoConnection) {
		return nil, errNoConnection
	}
	return conn, err
}

// errNoConnection is returned when no connection was to be had in time.
var errNoConnection = errors.New("no connection to the database in time")

// isConnectionError reports whether err is one of reaching the server, or of a connection that broke.
func isConnectionError(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.Is(err, errNoConnection) || errors.Is(err, errNoAnswer) || errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, ErrUnsafeServer) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err)
}
