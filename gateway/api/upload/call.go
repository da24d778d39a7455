// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/panics"
)

// CallConfig are the bounds on gRPC calls that an operator sets.
type CallConfig struct {
	Pace    Pace
	MaxTime time.Duration // of a call; 0: as long as it likes
	Panics  *panics.Reporter
}

// Call is a gRPC call whose messages are counted before they are read, and whose client is waited for
// neither in reading nor in writing for longer than it may be silent. grpc-go by itself reads whatever a
// client announces, up to a fixed size, for as long as that takes. So the bytes of a message are taken from grpc's
// transport here, a step at a time. It is for one receiver and one sender.
type Call struct {
	grpc.ServerStream
	ctx    context.Context
	cfg    CallConfig
	bytes  transport
	meter  meter
	held   *gateway.Held
	broken error // of the sender, once a message was not taken in time

	// scratch is what messages up to maxScratch are read into before they are decoded. It is counted in held. It is
	// the receiver's.
	scratch []byte

	// Relieve is called when there is no memory for the next message. It returns whether it waited for
	// something of this call to be given back, so that it is worth while to ask again; nil: it cannot. It is
	// the receiver's.
	Relieve func() bool
	// Unhurried says that the client may send messages as seldom as Pace.Idle lets it; only within one it
	// has to be as fast as Pace.MinRate. It is the receiver's.
	Unhurried bool
}

// transport is what grpc-go's own receiver reads from.
type transport interface {
	ReadMessageHeader(header []byte) error
	Read(n int) (mem.BufferSlice, error)
}

var errCutOff = problem.Malformed("the stream ends within a message", "send it again")

var errNoTransport = errors.New("grpc-go gives no access to the bytes of a call")

// newCall returns the call of stream, which lasts until ctx ends.
func newCall(ctx context.Context, stream grpc.ServerStream, cfg CallConfig) (*Call, error) {
	bytes, ok := grpc.ServerTransportStreamFromContext(ctx).(transport)
	if !ok {
		return nil, errNoTransport
	}
	c := &Call{ServerStream: stream, cfg: cfg, bytes: bytes, meter: newMeter(cfg.Pace), held: gateway.HeldFrom(ctx)}
	c.ctx = context.WithValue(ctx, callKey{}, c)
	return c, nil
}

type callKey struct{}

// CallFrom returns the call whose context, or one made of it, ctx is: nil where BoundService did not bound it.
func CallFrom(ctx context.Context) *Call {
	c, _ := ctx.Value(callKey{}).(*Call)
	return c
}

// Context implements grpc.ServerStream.
func (c *Call) Context() context.Context { return c.ctx }

// RecvMsg implements grpc.ServerStream for m, a proto.Message, which counts until the call ends.
func (c *Call) RecvMsg(m any) error {
	_, err := c.Receive(m.(proto.Message))
	return err
}

// Receive reads the next message into m, and returns what it counts for; the caller closes that once m
// is not needed any more. Errors: io.EOF at the end, gateway.ErrMemoryFull, *formats.Error, and those of a
// context, also when the client was too slow or is gone.
func (c *Call) Receive(m proto.Message) (*gateway.Held, error) {
	size, err := c.readSize()
	if err != nil {
		return nil, err
	}
	held, reading := c.held.Part(), c.held.Part()
	defer reading.Close()
	raw, err := c.readMessage(size, reading)
	if err == nil {
		err = c.askTwice(func() error { return decodeMessage(raw, m, held) })
	}
	if err != nil {
		held.Close()
		return nil, err
	}
	c.keepScratch(raw)
	return held, nil
}

// keepScratch keeps raw, which is not needed any more, for the next message, unless it is large.
func (c *Call) keepScratch(raw []byte) {
	if cap(raw) <= cap(c.scratch) || cap(raw) > maxScratch {
		return
	}
	c.dropScratch()
	if c.held.Grow(int64(cap(raw))) == nil {
		c.scratch = raw[:0]
	}
}

func (c *Call) dropScratch() {
	c.held.Shrink(int64(cap(c.scratch)))
	c.scratch = nil
}

// askTwice asks for memory again when some was given back meanwhile.
func (c *Call) askTwice(ask func() error) error {
	err := ask()
	if errors.Is(err, gateway.ErrMemoryFull) && c.Relieve != nil && c.Relieve() {
		err = ask()
	}
	return err
}

// The five bytes before each message: whether it is compressed, and its length.
const prefixSize = 5

const (
	// readStep bounds what is counted before it is there, in bytes: a chunk as most clients send it.
	readStep = 256<<10 + framing
	// maxScratch bounds what is kept for the next message, in bytes: the largest chunk.
	maxScratch = MaxChunk + framing
	framing    = 1 << 10
)

// readSize returns the size of the next message.
func (c *Call) readSize() (int64, error) {
	prefix, err := c.readPrefix()
	if err != nil {
		return 0, err
	}
	if prefix[0] != 0 {
		return 0, status.Error(codes.Unimplemented, "messages must not be compressed")
	}
	size := int64(binary.BigEndian.Uint32(prefix[1:]))
	if size > MaxMessage {
		return 0, formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("a message is larger than %d MiB", MaxMessage>>20),
			"send the artifact in chunks of at most 1 MiB, or over HTTP")
	}
	return size, nil
}

// readMessage reads a message into scratch, where it fits, or into what it counts in held.
func (c *Call) readMessage(size int64, held *gateway.Held) (raw []byte, err error) {
	if size <= int64(cap(c.scratch)) {
		raw = c.scratch[:0]
	}
	for int64(len(raw)) < size {
		step := int(min(size-int64(len(raw)), readStep))
		if err := c.askTwice(func() (err error) { raw, err = growFor(raw, step, int(size), held); return err }); err != nil {
			return nil, err
		}
		if raw, err = c.readBytes(raw, step); err != nil {
			return nil, err
		}
	}
	return raw, nil
}

// growFor makes room for step more bytes of a message of the given size, at least doubling buf. It returns
// buf itself beside an error.
func growFor(buf []byte, step, size int, held *gateway.Held) ([]byte, error) {
	if len(buf)+step <= cap(buf) {
		return buf, nil
	}
	grown, err := growHeld(buf, min(size, max(len(buf)+step, 2*cap(buf))), held)
	if err != nil {
		return buf, err
	}
	return grown, nil
}

func (c *Call) readPrefix() ([prefixSize]byte, error) {
	read := func() (prefix [prefixSize]byte, err error) {
		err = c.bytes.ReadMessageHeader(prefix[:])
		return prefix, err
	}
	if !c.Unhurried {
		return awaitClient(c, &c.meter, prefixSize, read)
	}
	unhurried := newMeter(Pace{Idle: c.cfg.Pace.Idle})
	return awaitClient(c, &unhurried, prefixSize, read)
}

// readBytes appends n bytes to buf.
func (c *Call) readBytes(buf []byte, n int) ([]byte, error) {
	data, err := awaitClient(c, &c.meter, n, func() (mem.BufferSlice, error) { return c.bytes.Read(n) })
	if errors.Is(err, io.EOF) {
		return nil, errCutOff
	}
	if err != nil {
		return nil, err
	}
	defer data.Free()
	gateway.NoteFrom(c.ctx).NoteBytes(n)
	for _, b := range data {
		buf = append(buf, b.ReadOnlyData()...)
	}
	return buf, nil
}

// awaitClient runs read, which brings n bytes, for as long as m lets the client be silent and the call may last.
// What it gave up goes on until the call ends, which must be at once.
func awaitClient[T any](c *Call, m *meter, n int, read func() (T, error)) (T, error) {
	started := time.Now()
	result, err := runWithin(c, m.patience(), read)
	m.noteRead(n, time.Since(started))
	if err == nil || errors.Is(err, io.EOF) {
		return result, err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return result, errCutOff
	}
	return result, c.explainError(err)
}

// runWithin runs work for at most so long, and until the call ends.
func runWithin[T any](c *Call, patience time.Duration, work func() (T, error)) (T, error) {
	type outcome struct {
		result T
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() { done <- o }()
		defer c.cfg.Panics.Recover("gRPC transport", &o.err, "request", gateway.RequestID(c.ctx))
		o.result, o.err = work()
	}()
	silence := time.NewTimer(patience)
	defer silence.Stop()
	var none T
	select {
	case o := <-done:
		return o.result, o.err
	case <-silence.C:
		return none, context.DeadlineExceeded
	case <-c.ctx.Done():
		return none, c.ctx.Err()
	}
}

// explainError says that it is the client's doing when its bytes do not come.
func (c *Call) explainError(err error) error {
	if ended := c.ctx.Err(); ended != nil {
		return ended
	}
	if _, ok := status.FromError(err); ok || isOwn(err) || errors.Is(err, panics.Err) {
		return err
	}
	return errors.Join(context.Canceled, err)
}

// SendMsg implements grpc.ServerStream for m, a proto.Message, which counts until the client has taken it. A client
// that does not take an answer in time gets no other, and is cut off in the end.
func (c *Call) SendMsg(m any) error {
	if c.broken != nil {
		return c.broken
	}
	a, err := c.newAnswer(m.(proto.Message))
	if err != nil {
		return err
	}
	_, c.broken = runWithin(c, c.cfg.Pace.idle(), func() (struct{}, error) {
		err := c.ServerStream.SendMsg(a)
		if !a.taken.Load() {
			a.drop()
		}
		return struct{}{}, err
	})
	return c.broken
}
