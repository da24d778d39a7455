// SPDX-License-Identifier: Apache-2.0

package rekorv2

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	rekortilespb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Bounds on what a log may say, in bytes: as many answers as entries are under way are held at once.
const (
	// answerSlack bounds an answer beside the body that was sent: a checkpoint with a hundred cosignatures, and proof
	// hashes. What has more is looked for in the tiles.
	answerSlack = 32 << 10
	// maxAnswerHeaders bounds its metadata, the status' message and details among them.
	maxAnswerHeaders = 16 << 10
	// maxMessage bounds what of a status' message comes into errors and log lines.
	maxMessage = 256

	streamWindow     = 64 << 10 // sent and not read yet; the library would let both grow to 16 MiB
	connectionWindow = 1 << 20
)

// writers are the connections for writing, used in turn.
type writers struct {
	conns   []*grpc.ClientConn
	clients []rekortilespb.RekorClient
	next    atomic.Uint64
	watch   *stopWatch
}

func newWriters(url string, cfg Config, watch grpc.UnaryClientInterceptor) (*writers, error) {
	target, secure, err := grpcTarget(url)
	if err != nil {
		return nil, err
	}
	creds := insecure.NewCredentials()
	if secure {
		creds = credentials.NewTLS(&tls.Config{RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12})
	}
	w := &writers{watch: newStopWatch()}
	creds = stoppingCredentials{creds, w.watch}
	for range cfg.Connections {
		conn, err := grpc.NewClient("dns:///"+target, append(dialOptions(creds, cfg.UserAgent), grpc.WithUnaryInterceptor(watch))...)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("making gRPC client: %w", err), w.closeConns())
		}
		w.conns = append(w.conns, conn)
		w.clients = append(w.clients, rekortilespb.NewRekorClient(conn))
	}
	return w, nil
}

func dialOptions(creds credentials.TransportCredentials, userAgent string) []grpc.DialOption {
	reconnect := backoff.DefaultConfig
	reconnect.BaseDelay, reconnect.MaxDelay = 100*time.Millisecond, 5*time.Second
	return []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithUserAgent(userAgent),
		grpc.WithMaxHeaderListSize(maxAnswerHeaders),
		grpc.WithInitialWindowSize(streamWindow), grpc.WithInitialConnWindowSize(connectionWindow),
		grpc.WithStatsHandler(sendTracker{}),
		grpc.WithPerRPCCredentials(sendCheck{}),
		// Package delivery retries: only it knows what may be sent twice.
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnect, MinConnectTimeout: 10 * time.Second}),
		// Pings are as rare as servers allow by default; the timeout, which also holds for
		// data not acknowledged, is what ends a dead connection.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 6 * time.Minute, Timeout: 20 * time.Second}),
	}
}

func (w *writers) nextClient() rekortilespb.RekorClient {
	return w.clients[w.next.Add(1)%uint64(len(w.clients))]
}

func (w *writers) closeConns() error {
	if w == nil {
		return nil
	}
	w.watch.close()
	var errs []error
	for _, conn := range w.conns {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}

// sendCheck asks, whenever the library is about to send a call, whether it may be sent still: a call that a connection has lost before it
// was written is sent again on the next one, and nobody else is asked. It implements credentials.PerRPCCredentials, and has none.
type sendCheck struct{}

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (sendCheck) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	if err := gateway.CheckSend(ctx); err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return nil, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (sendCheck) RequireTransportSecurity() bool { return false }

// sendTracker notes whether a call left this process: a call whose headers were not written
// cannot have reached the log.
type sendTracker struct{}

type sentKey struct{}

// withSent returns a context for one call, and whether that call was sent.
func withSent(ctx context.Context) (context.Context, *atomic.Bool) {
	sent := new(atomic.Bool)
	return context.WithValue(ctx, sentKey{}, sent), sent
}

func (sendTracker) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

func (sendTracker) HandleRPC(ctx context.Context, event stats.RPCStats) {
	if _, ok := event.(*stats.OutHeader); !ok {
		return
	}
	if sent, ok := ctx.Value(sentKey{}).(*atomic.Bool); ok {
		sent.Store(true)
	}
}

func (sendTracker) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (sendTracker) HandleConn(context.Context, stats.ConnStats) {}
