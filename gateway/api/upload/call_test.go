// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
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
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// sender is a client's half of a call: its bytes come as they are sent.
type sender struct {
	*io.PipeReader
	to *io.PipeWriter
}

func newSender() *sender {
	r, w := io.Pipe()
	return &sender{r, w}
}

func (s *sender) ReadMessageHeader(header []byte) error {
	_, err := io.ReadFull(s.PipeReader, header)
	return err
}

func (s *sender) Read(n int) (mem.BufferSlice, error) {
	buf := make([]byte, n)
	if _, err := io.ReadFull(s.PipeReader, buf); err != nil {
		return nil, err
	}
	return mem.BufferSlice{mem.SliceBuffer(buf)}, nil
}

// frame is a message as gRPC sends it.
func frame(t *testing.T, m proto.Message) []byte {
	t.Helper()
	raw, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(raw))), raw...)
}

// newTestCall is a call whose memory is counted in m.
func newTestCall(t *testing.T, m *gateway.Memory, cfg CallConfig) (*Call, *sender) {
	t.Helper()
	held, err := m.Admit(0)
	if err != nil {
		t.Fatal(err)
	}
	s := newSender()
	t.Cleanup(func() { s.Close(); held.Close() })
	c := &Call{ctx: t.Context(), cfg: cfg, bytes: s, meter: newMeter(cfg.Pace), held: held}
	return c, s
}

func TestReceiveCounts(t *testing.T) {
	m := gateway.NewMemory(8 << 20)
	c, s := newTestCall(t, m, CallConfig{})
	message := &pb.PlanRequest{Header: &pb.SubmissionHeader{Signature: make([]byte, 2<<20)}} // more than is kept as scratch
	go func() { _, _ = s.to.Write(frame(t, message)) }()
	got := new(pb.PlanRequest)
	held, err := c.Receive(got)
	if err != nil || !proto.Equal(got, message) {
		t.Fatal(err)
	}
	if size := int64(proto.Size(message)); held.Size() != size || m.Used() != size {
		t.Errorf("%d and %d bytes are counted, %d are held", held.Size(), m.Used(), size)
	}
	if held.Close(); m.Used() != 0 {
		t.Errorf("%d bytes stay held", m.Used())
	}
	s.to.Close()
	if _, err := c.Receive(got); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

// What is only announced counts no more than a step; a message for which there is no room is refused.
func TestReceiveCountsWhatIsThere(t *testing.T) {
	m := gateway.NewMemory(2 << 20)
	c, s := newTestCall(t, m, CallConfig{Pace: Pace{Idle: 50 * time.Millisecond}})
	announced := binary.BigEndian.AppendUint32([]byte{0}, MaxMessage)
	most := make(chan int64)
	go func() {
		_, _ = s.to.Write(append(announced, 'a'))
		most <- m.Used()
	}()
	if _, err := c.Receive(new(pb.PlanRequest)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a message of which one byte comes: %v", err)
	}
	if used := <-most; used > readStep {
		t.Errorf("%d bytes were counted for one that came", used)
	}
	c, s = newTestCall(t, m, CallConfig{})
	go func() {
		_, _ = s.to.Write(announced)
		_, _ = s.to.Write(make([]byte, MaxMessage))
	}()
	if _, err := c.Receive(new(pb.PlanRequest)); !errors.Is(err, gateway.ErrMemoryFull) || m.Used() != 0 {
		t.Errorf("a message of 12 MiB where there are 2: %v, %d bytes stay held", err, m.Used())
	}
}

// A batch that holds memory itself waits for that before it gives up.
func TestReceiveIsRelieved(t *testing.T) {
	m := gateway.NewMemory(1 << 20)
	c, s := newTestCall(t, m, CallConfig{})
	others := c.held.Part()
	if err := others.Grow(900 << 10); err != nil {
		t.Fatal(err)
	}
	relieved := 0
	c.Relieve = func() bool { relieved++; others.Close(); return true }
	go func() {
		_, _ = s.to.Write(frame(t, &pb.PlanRequest{Header: &pb.SubmissionHeader{Signature: make([]byte, 200<<10)}}))
	}()
	if _, err := c.Receive(new(pb.PlanRequest)); err != nil || relieved != 1 {
		t.Errorf("%v, relieved %d times", err, relieved)
	}
}

func TestReceiveRefuses(t *testing.T) {
	fields := frame(t, &pb.PlanRequest{Header: &pb.SubmissionHeader{Keys: make([][]byte, MaxMessageFields)}})
	compressed := frame(t, &pb.PlanRequest{})
	compressed[0] = 1
	for name, c := range map[string]struct {
		sent   []byte
		code   codes.Code
		reason formats.Reason
	}{
		"too large":    {binary.BigEndian.AppendUint32([]byte{0}, MaxMessage+1), codes.InvalidArgument, formats.ReasonTooLarge},
		"many fields":  {fields, codes.InvalidArgument, formats.ReasonTooLarge},
		"no protobuf":  {[]byte{0, 0, 0, 0, 1, 0xff}, codes.InvalidArgument, "MALFORMED_REQUEST"},
		"cut off":      {[]byte{0, 0, 0, 0, 9, 1}, codes.InvalidArgument, "MALFORMED_REQUEST"},
		"compressed":   {compressed, codes.Unimplemented, ""},
		"half a frame": {[]byte{0, 0}, codes.InvalidArgument, "MALFORMED_REQUEST"},
	} {
		call, s := newTestCall(t, gateway.NewMemory(16<<20), CallConfig{})
		go func() {
			_, _ = s.to.Write(c.sent)
			s.to.CloseWithError(io.ErrUnexpectedEOF)
		}()
		_, err := call.Receive(new(pb.PlanRequest))
		if got := convertError(err); status.Code(got) != c.code || problem.GRPCReason(got) != string(c.reason) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A message of a byte now and then is too slow, although its client is never silent for long. Who sends whole messages
// seldom may be unhurried.
func TestReceiveHasAPace(t *testing.T) { synctest.Test(t, testReceiveHasAPace) }

func testReceiveHasAPace(t *testing.T) {
	const idle = 100 * time.Millisecond
	var senders sync.WaitGroup
	drip := func(s *sender, bytes []byte, every time.Duration) {
		for _, b := range bytes {
			if _, err := s.to.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(every)
		}
	}
	m := frame(t, &pb.PlanRequest{Header: &pb.SubmissionHeader{Signature: make([]byte, 100)}})
	c, s := newTestCall(t, gateway.NewMemory(1<<20), CallConfig{Pace: Pace{Idle: idle, MinRate: 1 << 20}})
	senders.Go(func() { drip(s, m, idle/4) })
	if _, err := c.Receive(new(pb.PlanRequest)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("byte by byte: %v", err)
	}
	_ = s.to.Close() // ends the sender
	senders.Wait()
	for _, unhurried := range []bool{true, false} {
		c, s = newTestCall(t, gateway.NewMemory(1<<20), CallConfig{Pace: Pace{Idle: idle, MinRate: 1 << 20}})
		c.Unhurried = unhurried
		senders.Go(func() {
			for range 8 {
				time.Sleep(idle / 4)
				if _, err := s.to.Write(m); err != nil {
					return
				}
			}
		})
		var err error
		for range 8 {
			if _, err = c.Receive(new(pb.PlanRequest)); err != nil {
				break
			}
		}
		if unhurried != (err == nil) {
			t.Errorf("seldom, unhurried %v: %v", unhurried, err)
		}
		_ = s.to.Close()
		senders.Wait()
	}
}

type panicking struct{}

func (panicking) ReadMessageHeader([]byte) error    { panic("secret") }
func (panicking) Read(int) (mem.BufferSlice, error) { panic("secret") }

// A panic below a call ends that call, not the process.
func TestReceivePanics(t *testing.T) {
	counted := 0
	c := &Call{ctx: t.Context(), bytes: panicking{}, meter: newMeter(Pace{}), cfg: CallConfig{
		Panics: panics.NewReporter(slog.New(slog.DiscardHandler), func(string) { counted++ }),
	}}
	if err := c.RecvMsg(new(pb.PlanRequest)); !errors.Is(err, panics.Err) || counted != 1 {
		t.Errorf("%v, counted %d", err, counted)
	}
}

// stuckStream's client takes no answer.
type stuckStream struct{ grpc.ServerStream }

func (stuckStream) SendMsg(any) error { select {} }

func TestSendHasATimeLimit(t *testing.T) {
	c := &Call{ServerStream: stuckStream{}, ctx: t.Context(), cfg: CallConfig{Pace: Pace{Idle: 20 * time.Millisecond}}}
	for range 2 {
		if err := c.SendMsg(new(pb.PlanResponse)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	}
}

// FuzzReceive: whatever a client sends, it is a message or the client's fault, and nothing stays held.
func FuzzReceive(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 2, 0x0a, 0})
	f.Add([]byte{0, 0, 0, 0, 4, 0x12, 2, 0x12, 0})
	f.Add([]byte{1, 0, 0, 0, 0})
	f.Add([]byte{0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, sent []byte) {
		m := gateway.NewMemory(1 << 20)
		c, s := newTestCall(t, m, CallConfig{})
		go func() {
			_, _ = s.to.Write(sent)
			_ = s.to.Close()
		}()
		got := new(pb.SubmitBatchRequest)
		held, err := c.Receive(got)
		if err == nil && held.Size() > int64(len(sent)) {
			t.Errorf("%d bytes are counted for %d", held.Size(), len(sent))
		}
		if p := convertError(err); status.Code(p) == codes.Internal {
			t.Errorf("%v", err)
		}
		held.Close()
		if c.dropScratch(); m.Used() != 0 {
			t.Errorf("%d bytes stay held", m.Used())
		}
	})
}

// A buffer is kept for the next message, counted, and given back with the call.
func TestScratchIsCounted(t *testing.T) {
	m := gateway.NewMemory(8 << 20)
	c, s := newTestCall(t, m, CallConfig{})
	message := frame(t, &pb.PlanRequest{Header: &pb.SubmissionHeader{Signature: make([]byte, 100<<10)}})
	go func() {
		for range 2 {
			_, _ = s.to.Write(message)
		}
	}()
	for range 2 {
		held, err := c.Receive(new(pb.PlanRequest))
		if err != nil {
			t.Fatal(err)
		}
		if held.Close(); m.Used() != int64(cap(c.scratch)) || cap(c.scratch) != len(message)-prefixSize {
			t.Errorf("%d bytes are counted, %d kept", m.Used(), cap(c.scratch))
		}
	}
	if c.dropScratch(); m.Used() != 0 {
		t.Errorf("%d bytes stay held", m.Used())
	}
}
