// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net"
	"sync"

	"github.com/rekor-gateway/rekor-gateway/gateway/middleware"
)

// addressBound bounds the connections that one address has at once to one listener.
type addressBound struct {
	most   int
	trust  middleware.Proxies // these have no bound: everybody comes through them
	refuse func()             // told of each connection that is refused

	mu   sync.Mutex
	open map[string]int // by middleware.AddressKey, above zero; no more than all listeners' connections together
}

// boundListener closes the connections that bound refuses, so that they take nobody's place. To wait, as those beyond
// limits.max_connections do, would hold up whoever comes after them.
type boundListener struct {
	net.Listener
	bound *addressBound
}

// Accept implements net.Listener.
func (l boundListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if leave, ok := l.bound.enter(conn.RemoteAddr().String()); ok {
			return &boundConn{conn, sync.OnceFunc(leave)}, nil
		}
		_ = conn.Close() // nothing was sent
		l.bound.refuse()
	}
}

// enter reports whether remote may have one more connection, for which leave has to be called at its end.
func (b *addressBound) enter(remote string) (leave func(), ok bool) {
	if b.trust.Trust(remote) {
		return func() {}, true
	}
	key := middleware.AddressKey(remote)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open[key] >= b.most {
		return nil, false
	}
	b.open[key]++
	return func() { b.leave(key) }, true
}

func (b *addressBound) leave(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open[key]--; b.open[key] == 0 {
		delete(b.open, key)
	}
}

// boundConn gives its place back when it is closed.
type boundConn struct {
	net.Conn
	leave func() // does something once
}

// Close implements net.Conn.
func (c *boundConn) Close() error {
	c.leave()
	return c.Conn.Close()
}
