// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Connection is the remote address of a connection that can be closed from here. grpc-go keeps what it was given to
// send until the client takes it, also when the call has long ended, and has no other way to drop it.
type Connection interface {
	// CutConnection closes the connection.
	CutConnection()
	// Lifetime returns a context that ends when the connection is closed.
	Lifetime() context.Context
}

// connectionOf returns the connection of ctx, or nil.
func connectionOf(ctx context.Context) Connection {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	c, _ := p.Addr.(Connection)
	return c
}

// answer is a message on its way to the client. It is one of protobuf for servers that lack AnswerCodec, too.
type answer struct {
	proto.Message
	*unread
	taken atomic.Bool // by AnswerCodec, so that drop is called once nothing refers to the bytes any more
}

// unread is what is kept of an answer until the client has its bytes: not the message that they are made of.
type unread struct {
	held   *gateway.Held // the encoded message
	settle func()        // the client has it, or is gone
}

// newAnswer counts m until drop, and cuts the connection if that takes too long. It counts twice, for what making it
// left to the garbage collector. Error: gateway.ErrMemoryFull.
func (c *Call) newAnswer(m proto.Message) (*answer, error) {
	size := int64(proto.Size(m))
	a := &answer{Message: m, unread: &unread{held: c.held.Part(), settle: func() {}}}
	if err := a.held.Grow(2*size + AnswerMemory); err != nil {
		return nil, err
	}
	a.held.Detach() // it outlives the call
	if conn := connectionOf(c.ctx); conn != nil {
		late := time.AfterFunc(c.cfg.Pace.timeFor(size), conn.CutConnection)
		held := a.held // without the message
		settled := context.AfterFunc(conn.Lifetime(), func() { late.Stop(); held.Close() })
		a.settle = func() { late.Stop(); settled() }
	}
	return a, nil
}

func (u *unread) drop() {
	u.settle()
	u.held.Close()
}

// AnswerCodec returns the option by which a server gives answers back to gateway.Memory once clients have taken
// them.
func AnswerCodec() grpc.ServerOption {
	return grpc.ForceServerCodecV2(answerCodec{encoding.GetCodecV2("proto")})
}

type answerCodec struct{ encoding.CodecV2 }

// Marshal implements encoding.CodecV2.
func (c answerCodec) Marshal(v any) (mem.BufferSlice, error) {
	a, ok := v.(*answer)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	buf := make([]byte, 0, max(proto.Size(a.Message), leastBuffer))
	buf, err := proto.MarshalOptions{}.MarshalAppend(buf, a.Message)
	if err != nil {
		return nil, err
	}
	a.taken.Store(true)
	return mem.BufferSlice{mem.NewBuffer(&buf, dropPool{a.unread})}, nil
}

// leastBuffer is the capacity from which on grpc-go tells when a buffer is not needed any more.
const leastBuffer = 1<<10 + 1

// dropPool gets the one buffer that was made with it.
type dropPool struct{ *unread }

// Get implements mem.BufferPool.
func (dropPool) Get(n int) *[]byte { b := make([]byte, n); return &b }

// Put implements mem.BufferPool.
func (p dropPool) Put(*[]byte) { p.drop() }
