// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"context"
	"errors"
	"net"
	"runtime"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/peer"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// queueingStream encodes what it is sent and keeps it, as grpc-go's transport does.
type queueingStream struct {
	grpc.ServerStream
	queue mem.BufferSlice
}

func (s *queueingStream) SendMsg(m any) error {
	raw, err := answerCodec{encoding.GetCodecV2("proto")}.Marshal(m)
	s.queue = append(s.queue, raw...)
	return err
}

// testAddr is the address of a connection that ends when it is cut.
type testAddr struct {
	net.Addr
	lifetime context.Context
	cut      context.CancelFunc
}

func (a testAddr) CutConnection()            { a.cut() }
func (a testAddr) Lifetime() context.Context { return a.lifetime }

func newAnsweringCall(t *testing.T, m *gateway.Memory, idle time.Duration) (*Call, *queueingStream, testAddr) {
	c, _ := newTestCall(t, m, CallConfig{Pace: Pace{Idle: idle}})
	stream, addr := &queueingStream{}, testAddr{}
	addr.lifetime, addr.cut = context.WithCancel(t.Context())
	t.Cleanup(addr.cut)
	c.ServerStream, c.ctx = stream, peer.NewContext(t.Context(), &peer.Peer{Addr: addr})
	return c, stream, addr
}

// Answers count until they are taken, however small, and also when their call has ended.
func TestAnswersCountUntilTaken(t *testing.T) {
	for _, size := range []int{0, 10, 100 << 10} {
		m := gateway.NewMemory(1 << 20)
		c, stream, addr := newAnsweringCall(t, m, time.Hour)
		if err := c.SendMsg(&pb.SubmitBatchResponse{Ref: string(make([]byte, size))}); err != nil {
			t.Fatal(err)
		}
		c.held.Close()
		if used := m.Used(); used < 2*int64(size)+AnswerMemory {
			t.Errorf("%d bytes are counted for an answer of %d", used, size)
		}
		if stream.queue.Free(); m.Used() != 0 {
			t.Errorf("%d bytes stay held", m.Used())
		}
		if addr.lifetime.Err() != nil {
			t.Error("a client that took its answer is cut off")
		}
	}
}

// The message that an answer was made of is not kept until the client takes the bytes.
func TestAnswersKeepTheirBytesAlone(t *testing.T) {
	c, stream, _ := newAnsweringCall(t, gateway.NewMemory(1<<20), time.Hour)
	collected := make(chan struct{})
	func() {
		message := &pb.SubmitBatchResponse{Ref: "ref"}
		runtime.AddCleanup(message, func(struct{}) { close(collected) }, struct{}{})
		if err := c.SendMsg(message); err != nil {
			t.Fatal(err)
		}
	}()
	runtime.GC()
	select {
	case <-collected:
	case <-time.After(10 * time.Second):
		t.Error("the message is kept")
	}
	stream.queue.Free()
}

func TestAnswersAreRefusedWithoutMemory(t *testing.T) {
	c, stream, _ := newAnsweringCall(t, gateway.NewMemory(1<<20), time.Hour)
	err := c.SendMsg(&pb.SubmitBatchResponse{Ref: string(make([]byte, 1<<20))})
	if !errors.Is(err, gateway.ErrMemoryFull) || len(stream.queue) != 0 {
		t.Errorf("%v, %d buffers", err, len(stream.queue))
	}
}

// A client that takes no answer is cut off, so that it does not hold memory for ever: grpc-go frees nothing when a
// connection ends.
func TestAnswersAreNotKeptForEver(t *testing.T) {
	m := gateway.NewMemory(1 << 20)
	c, _, addr := newAnsweringCall(t, m, 10*time.Millisecond)
	if err := c.SendMsg(new(pb.SubmitBatchResponse)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); addr.lifetime.Err() == nil || m.Used() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("cut off: %v, %d bytes stay held", addr.lifetime.Err() != nil, m.Used())
		}
	}
}

func TestTimeFor(t *testing.T) {
	for p, want := range map[Pace]time.Duration{{}: time.Minute, {Idle: time.Second, MinRate: 10}: 11 * time.Second} {
		if got := p.timeFor(100); got != want {
			t.Errorf("%+v: %v", p, got)
		}
	}
}

// What no codec took is given back at once.
func TestUnsentAnswersCountNothing(t *testing.T) {
	m := gateway.NewMemory(1 << 20)
	c, _, _ := newAnsweringCall(t, m, time.Hour)
	c.ServerStream = brokenStream{}
	if err := c.SendMsg(new(pb.SubmitBatchResponse)); !errors.Is(err, errBroken) || m.Used() != 0 {
		t.Errorf("%v, %d bytes", err, m.Used())
	}
}

var errBroken = errors.New("broken")

type brokenStream struct{ grpc.ServerStream }

func (brokenStream) SendMsg(any) error { return errBroken }
