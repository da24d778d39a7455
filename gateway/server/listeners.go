// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"

	"golang.org/x/net/netutil"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/middleware"
)

// listeners are bound by Build and closed by the servers that serve them.
type listeners struct {
	http, grpc, admin      net.Listener
	httpSecure, grpcSecure bool
	callers                []callersListener // in the configuration's order
}

// callersListener is one at which everybody is the same caller.
type callersListener struct {
	net.Listener
	config config.Listener // as the process was started with
	http   *http.Server
}

func bindListeners(ctx context.Context, cfg *config.Config) (listeners, error) {
	l := listeners{httpSecure: cfg.HTTP.TLS.CertFile != "", grpcSecure: cfg.GRPC.TLS.CertFile != "", callers: make([]callersListener, len(cfg.Listeners))}
	type binding struct {
		to           *net.Listener
		key, address string
	}
	bindings := []binding{
		{&l.http, "http.listen", cfg.HTTP.Listen},
		{&l.grpc, "grpc.listen", cfg.GRPC.Listen},
		{&l.admin, "admin.listen", cfg.Admin.Listen},
	}
	for i, c := range cfg.Listeners {
		l.callers[i].config = c
		bindings = append(bindings, binding{&l.callers[i].Listener, fmt.Sprintf("listeners[%d].listen", i), c.Listen})
	}
	for _, b := range bindings {
		var err error
		if *b.to, err = new(net.ListenConfig).Listen(ctx, "tcp", b.address); err != nil {
			return l, &ListenError{Key: b.key, Address: b.address, err: err}
		}
	}
	return l, nil
}

func (l listeners) closeListeners() error {
	var errs []error
	all := []net.Listener{l.http, l.grpc, l.admin}
	for i := range l.callers {
		all = append(all, l.callers[i].Listener)
	}
	for _, b := range all {
		if b == nil {
			continue
		}
		if err := b.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// ListenError is returned when a configured address cannot be bound.
type ListenError struct {
	Key     string // in the configuration: "http.listen"
	Address string
	err     error
}

// Error names key, address and cause.
func (e *ListenError) Error() string {
	return fmt.Sprintf("listening on %s (%s): %v", e.Address, e.Key, e.err)
}

// Unwrap returns the cause.
func (e *ListenError) Unwrap() error { return e.err }

// maxAdmin bounds the connections to the admin listener.
const maxAdmin = 64

// boundConnections bounds the connections at once, to each public listener, and counts them in memory. Those beyond wait
// in the kernel until others are closed; those of an address that has its share are closed.
func (l *listeners) boundConnections(c config.Limits, trust middleware.Proxies, refuse func(), memory *gateway.Memory) {
	bound := func(inner net.Listener) net.Listener {
		share := &addressBound{most: c.MaxConnectionsPerAddress, trust: trust, refuse: refuse, open: map[string]int{}}
		return boundListener{netutil.LimitListener(inner, c.MaxConnections), share}
	}
	l.http = &countingListener{bound(l.http), memory, upload.ConnectionMemory}
	l.grpc = &countingListener{bound(l.grpc), memory, upload.CallConnectionMemory}
	for i := range l.callers {
		l.callers[i].Listener = &countingListener{bound(l.callers[i].Listener), memory, upload.ConnectionMemory}
	}
	l.admin = netutil.LimitListener(l.admin, maxAdmin)
}

// countingListener counts size bytes for each open connection.
type countingListener struct {
	net.Listener
	memory *gateway.Memory
	size   int64
}

// Accept implements net.Listener.
func (l *countingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	held := l.memory.Count(l.size)
	lifetime, end := context.WithCancel(context.Background())
	return &countedConn{Conn: conn, lifetime: lifetime, giveBack: sync.OnceFunc(func() { held.Close(); end() })}, nil
}

type countedConn struct {
	net.Conn
	lifetime context.Context
	giveBack func() // ends lifetime, too
}

// RemoteAddr implements net.Conn.
func (c *countedConn) RemoteAddr() net.Addr { return connection{c.Conn.RemoteAddr(), c} }

// connection is the remote address of conn.
type connection struct {
	net.Addr
	conn *countedConn
}

var _ upload.Connection = connection{}

// CutConnection implements upload.Connection.
func (c connection) CutConnection() { _ = c.conn.Close() }

// Lifetime implements upload.Connection.
func (c connection) Lifetime() context.Context { return c.conn.lifetime }

// Close implements net.Conn.
func (c *countedConn) Close() error {
	c.giveBack()
	return c.Conn.Close()
}
