// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"unsafe"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
)

// stackedService notes how far down its stack a call waits for the log.
type stackedService struct {
	Service
	at atomic.Uintptr
}

func (s *stackedService) Await(context.Context, *gateway.Submission) error {
	var here byte
	s.at.Store(uintptr(unsafe.Pointer(&here)))
	return nil
}

// growStack makes room for all that a call may need, so that its stack is not moved.
//
//go:noinline
func growStack() (last byte) {
	var room [128 << 10]byte
	for i := range room {
		room[i] = byte(i)
	}
	return room[len(room)-1]
}

// maxWaitingFrames bounds what the frames of Submit take of the stack of a call that waits, in bytes. With all that is above and below them, a stack of 8 KiB
// has to do: thousands wait at once, and the next larger one takes twice as much of each.
const maxWaitingFrames = 1200

// TestWaitingStack: a call that waits for the log keeps a small stack, whatever it took to get there.
func TestWaitingStack(t *testing.T) {
	service := &stackedService{Service: start(t, gatewaytest.NewLog())}
	depth := make(chan uintptr, 1)
	server := grpc.NewServer(grpc.StreamInterceptor(func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
		growStack()
		var base byte
		before := uintptr(unsafe.Pointer(&base))
		err := handle(srv, stream)
		after := uintptr(unsafe.Pointer(&base))
		if before != after { // the stack was moved meanwhile
			before = service.at.Load()
		}
		depth <- before - service.at.Load()
		return err
	}))
	RegisterGRPC(server, service, GRPCConfig{MaxArtifact: testMaxArtifact, Logger: slog.New(slog.DiscardHandler)})
	c := serveGRPC(t, server, bufconn.Listen(1<<20))
	for range 100 {
		header := headerMessage(gatewaytest.Signed(t, "waits")) // by another key each time
		if _, err := send(t, c, startMessage(header), chunk([]byte("waits"))); err != nil {
			t.Fatal(err)
		}
		if d := <-depth; d != 0 {
			if d > maxWaitingFrames {
				t.Errorf("its frames take %d bytes, want %d at most", d, maxWaitingFrames)
			}
			return
		}
	}
	t.Error("the stack was moved each time")
}
