// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"bufio"
	"net/http"
	"sync"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// LinesWriter sends the answers of a batch, as lines, while the batch is read. What the client does not take waits here, up to a bound; whoever
// has an answer beyond that waits himself. So a client that sends all before it reads is served as far as the bound goes, and one
// that never reads is read no further. How fast a client has to read is asked only while somebody waits for that. It is safe for concurrent use.
type LinesWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	pace    Pace
	failed  func(error) // called once, when an answer cannot be sent
	most    int64       // bytes that wait, beyond the first answer
	done    chan struct{}

	mu      sync.Mutex // over what follows
	changed *sync.Cond // of mu
	waiting []lineOut
	bytes   int64 // of what waits, and what is being written
	pressed int   // those who wait for the client
	writing int   // bytes that are being written, 0: nothing is
	timed   bool  // the write has a deadline
	ended   bool  // no more answers come
	err     error // of the first write that failed
}

// lineOut is an answer that waits.
type lineOut struct {
	text []byte
	held *gateway.Held
}

func sizeOf(text []byte) int64 { return int64(cap(text)) + AnswerLineMemory }

// writeBuffer is how much is written at once, in bytes.
const writeBuffer = 32 << 10

// NewLinesWriter begins an answer of status 200 to req, which is sent at once: some clients want to see it before they send all. It lifts what time
// limits the answer has. failed is called when an answer cannot be sent.
func (r *Reader) NewLinesWriter(w http.ResponseWriter, req *http.Request, failed func(error)) (*LinesWriter, error) {
	l := &LinesWriter{w: w, control: http.NewResponseController(w), pace: r.cfg.Pace, failed: failed, most: MaxBatchAnswers, done: make(chan struct{})}
	l.changed = sync.NewCond(&l.mu)
	if err := l.control.EnableFullDuplex(); err != nil {
		return nil, err
	}
	if req.Header.Get("Expect") != "" {
		w.WriteHeader(http.StatusContinue) // net/http sends none once an answer has begun
	}
	w.Header().Set("Content-Type", LineTypes[0])
	if req.ProtoMajor == 1 {
		// A batch may end before its body does, and what is left of that must not pass for another request.
		w.Header().Set("Connection", "close")
	}
	w.WriteHeader(http.StatusOK)
	if err := l.control.Flush(); err != nil {
		return nil, err
	}
	_ = l.control.SetWriteDeadline(time.Time{})
	_ = l.control.SetReadDeadline(time.Time{})
	go l.run()
	return l, nil
}

// Put sends text, which has its line end, and waits only while too much is unread. It takes over held, in which sizeOf text is counted; where there is
// no memory for that, nil: text waits until all before it is sent then. What cannot be sent is dropped.
func (l *LinesWriter) Put(text []byte, held *gateway.Held) {
	l.mu.Lock()
	defer l.mu.Unlock()
	most := l.most
	if held == nil {
		most = 0
	}
	for l.err == nil && l.bytes > 0 && l.bytes+sizeOf(text) > most {
		l.press()
		l.changed.Wait()
		l.pressed--
	}
	if l.err != nil {
		held.Close()
		return
	}
	l.bytes += sizeOf(text)
	l.waiting = append(l.waiting, lineOut{text, held})
	l.changed.Broadcast()
}

// End waits until all is sent, or cannot be. It bounds what net/http sends after that.
func (l *LinesWriter) End() {
	l.mu.Lock()
	l.ended = true
	l.press()
	l.changed.Broadcast()
	l.mu.Unlock()
	<-l.done
	_ = l.control.SetWriteDeadline(time.Now().Add(l.pace.idle() + LingerTime))
}

// press is called with mu held when somebody begins to wait for the client.
func (l *LinesWriter) press() {
	if l.pressed++; l.writing > 0 && !l.timed {
		l.setDeadline(l.writing)
	}
}

// setDeadline is called with mu held.
func (l *LinesWriter) setDeadline(size int) {
	l.timed = true
	_ = l.control.SetWriteDeadline(time.Now().Add(l.pace.timeFor(int64(size)))) // not possible in some tests
}

func (l *LinesWriter) run() {
	defer close(l.done)
	out := bufio.NewWriterSize(timedLines{l}, writeBuffer)
	for {
		lines, ok := l.take()
		if !ok {
			return
		}
		err := writeAll(out, lines)
		if err == nil {
			err = timedLines{l}.flush()
		}
		l.noteSent(lines, err)
	}
}

// take returns what waits, once there is something.
func (l *LinesWriter) take() (lines []lineOut, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.waiting) == 0 && !l.ended {
		l.changed.Wait()
	}
	lines, l.waiting = l.waiting, nil
	return lines, len(lines) > 0
}

func writeAll(out *bufio.Writer, lines []lineOut) error {
	for _, line := range lines {
		if _, err := out.Write(line.text); err != nil {
			return err
		}
	}
	return out.Flush()
}

// noteSent gives back what was sent.
func (l *LinesWriter) noteSent(lines []lineOut, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range lines {
		l.bytes -= sizeOf(line.text)
		line.held.Close()
	}
	if err != nil && l.err == nil {
		l.err = err
		l.failed(err)
	}
	l.changed.Broadcast()
}

// timedLines writes within what time the client has.
type timedLines struct{ *LinesWriter }

// Write implements io.Writer.
func (l timedLines) Write(p []byte) (int, error) {
	l.begin(len(p))
	defer l.end()
	return l.w.Write(p)
}

func (l timedLines) flush() error {
	l.begin(writeBuffer)
	defer l.end()
	return l.control.Flush()
}

func (l timedLines) begin(size int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.writing = size; l.pressed > 0 {
		l.setDeadline(size)
	}
}

func (l timedLines) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writing = 0
	if l.timed {
		l.timed = false
		_ = l.control.SetWriteDeadline(time.Time{})
	}
}
