// SPDX-License-Identifier: Apache-2.0

package rekorv2_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekortilespb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logtest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// cuttable are the connections of a listener.
type cuttable struct {
	net.Listener
	conns chan net.Conn
}

// Accept implements net.Listener.
func (l cuttable) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.conns <- conn
	}
	return conn, err
}

// TestSendCheck: what may not be sent any more is not, neither at once nor on the next connection, when the one that it waited in is
// lost. What may be is.
func TestSendCheck(t *testing.T) {
	for name, over := range map[string]bool{"it may": false, "it may not any more": true} {
		t.Run(name, func(t *testing.T) {
			fake := server{rekortest.StartFake(t)}
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			cut := cuttable{listener, make(chan net.Conn, 9)}
			s := grpc.NewServer(grpc.MaxConcurrentStreams(1))
			arrived := make(chan struct{}, 9)
			var again atomic.Bool
			rekortilespb.RegisterRekorServer(s, &talkative{answer: func(ctx context.Context) (*rekorpb.TransparencyLogEntry, error) {
				arrived <- struct{}{}
				if !again.Load() {
					<-ctx.Done()
				}
				return nil, status.Error(codes.PermissionDenied, "no")
			}})
			go func() { _ = s.Serve(cut) }()
			t.Cleanup(s.Stop)
			cfg := config(fake)
			cfg.Connections, cfg.Shards[0].GRPCURL = 1, "http://"+listener.Addr().String()
			l := open(t, cfg, new(rekortest.Checkpoints))
			e := logtest.Prepare(t, l, rekortest.NewECDSASigner(t).Record("hello"))
			errOver := errors.New("it is another's")
			var isOver atomic.Bool
			ctx := gateway.WithSendCheck(t.Context(), func() error {
				if isOver.Load() {
					return errOver
				}
				return nil
			})
			add := func(ctx context.Context) chan error {
				ended := make(chan error, 1)
				go func() {
					_, err := l.Add(ctx, l.Describe().Shard, e)
					ended <- err
				}()
				return ended
			}
			first := add(t.Context())
			<-arrived
			second := add(ctx)
			time.Sleep(200 * time.Millisecond) // it waits for its turn on the connection
			isOver.Store(over)
			again.Store(true)
			_ = (<-cut.conns).Close()
			<-first
			switch err := <-second; {
			case over && (!errors.Is(err, gateway.ErrNotSent) || len(arrived) > 0):
				t.Errorf("%v, %d arrived", err, len(arrived))
			case !over && (errors.Is(err, gateway.ErrNotSent) || len(arrived) != 1):
				t.Errorf("%v, %d arrived: nothing was sent on the next connection, and nothing is shown", err, len(arrived))
			}
			if err := <-add(ctx); over && !errors.Is(err, gateway.ErrNotSent) {
				t.Errorf("at once: %v", err)
			}
		})
	}
}
