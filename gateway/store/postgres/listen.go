// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgxlisten"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

const (
	// listenAgain is how long a lost connection is waited for before the next try.
	listenAgain = time.Second
	// listenProbe is how often the network is asked whether a connection on which nothing comes is there still.
	listenProbe = 5 * time.Second
)

// Hear implements gateway.Signals. It has a connection of its own.
func (s *Store) Hear(ctx context.Context, f func(gateway.Signal)) {
	e := &ear{self: s.teller.self, hear: f}
	listener := &pgxlisten.Listener{
		Connect: s.connectListener, ReconnectDelay: listenAgain,
		LogError: func(ctx context.Context, err error) {
			if ctx.Err() == nil && !e.deaf {
				s.opts.Logger.WarnContext(ctx, "not told by the other gateways for now; what they change is looked for now and then", "error", err)
				e.deaf = true
			}
		},
	}
	listener.Handle(channel, e)
	for ctx.Err() == nil {
		listening, over := s.life.listenTo(ctx)
		_ = listener.Listen(listening) // it ends with that
		over()
	}
}

func (s *Store) connectListener(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Patience)
	defer cancel()
	config := s.pool.Config().ConnConfig.Copy()
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: listenProbe, Interval: listenProbe, Count: 2}}
	config.DialFunc = dialer.DialContext
	return pgx.ConnectConfig(ctx, config)
}

// ear hands on what is heard. One goroutine calls it.
type ear struct {
	self string
	hear func(gateway.Signal)
	deaf bool // the operator was told that nothing is heard
}

// HandleNotification implements pgxlisten.Handler.
func (e *ear) HandleNotification(_ context.Context, n *pgconn.Notification, _ *pgx.Conn) error {
	if s, ok := decodeSignal(e.self, n.Payload); ok {
		e.hear(s)
	}
	return nil
}

// HandleBacklog implements pgxlisten.BacklogHandler: it is called on each new connection, once that listens.
func (e *ear) HandleBacklog(context.Context, string, *pgx.Conn) error {
	e.deaf = false
	e.hear(gateway.Signal{Missed: true})
	return nil
}
