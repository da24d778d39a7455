// SPDX-License-Identifier: Apache-2.0

package rekorv2

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/rekor-gateway/rekor-gateway/gateway/internal/steady"
)

// A process that was stopped (SIGSTOP, a frozen container, a machine that slept) wakes with requests that it has handed to a
// connection and that are not written yet, while the leases of their entries have ended and somebody else has sent them. So what
// is to be written after a long stop, on a connection of before, is not: the connection is closed.

const (
	// longestStop is shorter than what is left of a lease that is extended in time.
	longestStop = 5 * time.Second
	stopTick    = 500 * time.Millisecond
)

// errStopped is why a connection is closed.
var errStopped = errors.New("this process was stopped for a while, so that nothing of before is sent")

// stopWatch counts how often this process was stopped for long.
type stopWatch struct {
	ticked atomic.Pointer[steady.Mark]
	stops  atomic.Int64
	done   chan struct{}
	ended  sync.Once
}

func newStopWatch() *stopWatch {
	w := &stopWatch{done: make(chan struct{})}
	w.noteTick()
	go w.watchUntilClosed()
	return w
}

func (w *stopWatch) close() { w.ended.Do(func() { close(w.done) }) }

func (w *stopWatch) watchUntilClosed() {
	tick := time.NewTicker(stopTick)
	defer tick.Stop()
	for {
		select {
		case <-w.done:
			return
		case <-tick.C:
			w.noteTick()
		}
	}
}

// noteTick counts a stop before it notes the tick, so that nobody sees the one without the other.
func (w *stopWatch) noteTick() {
	if last := w.ticked.Load(); last != nil && last.Elapsed() > longestStop {
		w.stops.Add(1)
	}
	now := steady.Now()
	w.ticked.Store(&now)
}

// isStopped reports whether the process was stopped since the count was stops, or has just been.
func (w *stopWatch) isStopped(stops int64) bool {
	return w.ticked.Load().Elapsed() > longestStop || w.stops.Load() != stops
}

// stoppingCredentials have all connections watched, those through a proxy and under TLS as well.
type stoppingCredentials struct {
	credentials.TransportCredentials
	watch *stopWatch
}

// ClientHandshake implements credentials.TransportCredentials.
func (c stoppingCredentials) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return c.TransportCredentials.ClientHandshake(ctx, authority, &stoppingConn{conn, c.watch, c.watch.stops.Load()})
}

// Clone implements credentials.TransportCredentials.
func (c stoppingCredentials) Clone() credentials.TransportCredentials {
	return stoppingCredentials{c.TransportCredentials.Clone(), c.watch}
}

// stoppingConn writes nothing after a stop.
type stoppingConn struct {
	net.Conn
	watch *stopWatch
	stops int64 // when it was made
}

// Write implements net.Conn.
func (c *stoppingConn) Write(b []byte) (int, error) {
	if c.watch.isStopped(c.stops) {
		return 0, errors.Join(errStopped, c.Close())
	}
	return c.Conn.Write(b)
}
