// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// stuckWriter takes nothing until its gate is open, or its deadline is over.
type stuckWriter struct {
	http.ResponseWriter
	gate chan struct{}

	mu       sync.Mutex // over what follows
	changed  chan struct{}
	deadline time.Time
	taken    int
}

func newStuckWriter() *stuckWriter {
	return &stuckWriter{ResponseWriter: httptest.NewRecorder(), gate: make(chan struct{}), changed: make(chan struct{})}
}

func (w *stuckWriter) SetReadDeadline(time.Time) error { return nil }
func (w *stuckWriter) EnableFullDuplex() error         { return nil }
func (w *stuckWriter) FlushError() error               { return nil }

func (w *stuckWriter) SetWriteDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = t
	close(w.changed)
	w.changed = make(chan struct{})
	return nil
}

func (w *stuckWriter) Write(p []byte) (int, error) {
	for {
		w.mu.Lock()
		changed, left := w.changed, time.Until(w.deadline)
		if w.deadline.IsZero() {
			left = time.Hour * 24
		}
		w.mu.Unlock()
		select {
		case <-w.gate:
			w.mu.Lock()
			defer w.mu.Unlock()
			w.taken += len(p)
			return len(p), nil
		case <-changed:
		case <-time.After(left):
			return 0, os.ErrDeadlineExceeded
		}
	}
}

// linesWriterOver is a writer over w, whose failure goes into failed.
func linesWriterOver(t *testing.T, w http.ResponseWriter, failed func(error)) *LinesWriter {
	t.Helper()
	r := NewReader(Config{Pace: Pace{Idle: time.Minute}})
	l, err := r.NewLinesWriter(w, httptest.NewRequest(http.MethodPost, "/", nil), failed)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A client that does not read is waited for while there is room for its answers, however long. From when there is none it has
// Pace.Idle, and what waits is dropped then.
func TestLinesWriterWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, held := testHeld(t, 64<<20)
		var failure error
		w := newStuckWriter()
		l := linesWriterOver(t, w, func(err error) { failure = err })
		line := []byte(strings.Repeat("x", 1<<20) + "\n")
		put := func() {
			part := held.Part()
			if err := part.Grow(sizeOf(line)); err != nil {
				t.Fatal(err)
			}
			l.Put(line, part)
		}
		for range 3 {
			put()
		}
		time.Sleep(time.Hour)
		if failure != nil {
			t.Fatalf("while there is room: %v", failure)
		}
		started := time.Now()
		put() // no room
		if took := time.Since(started); took != time.Minute || !errors.Is(failure, os.ErrDeadlineExceeded) {
			t.Errorf("%v after %s", failure, took)
		}
		put()
		l.End()
		if memory.Used() != 0 {
			t.Errorf("%d bytes stay held", memory.Used())
		}
	})
}

// A client that reads late gets all, the answers that nothing could be counted for too.
func TestLinesWriterSendsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, held := testHeld(t, 64<<20)
		w := newStuckWriter()
		l := linesWriterOver(t, w, func(err error) { t.Error(err) })
		line := []byte(strings.Repeat("x", 1<<20) + "\n")
		var putting sync.WaitGroup
		for i := range 12 {
			putting.Go(func() {
				if i == 5 {
					l.Put(line, nil)
					return
				}
				part := held.Part()
				_ = part.Grow(sizeOf(line))
				l.Put(line, part)
			})
		}
		time.Sleep(50 * time.Second)
		close(w.gate)
		putting.Wait()
		l.End()
		if w.taken != 12*len(line) || memory.Used() != 0 {
			t.Errorf("%d bytes were sent, %d stay held", w.taken, memory.Used())
		}
	})
}

// At the end a client has Pace.Idle for what it has not read.
func TestLinesWriterEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failure error
		l := linesWriterOver(t, newStuckWriter(), func(err error) { failure = err })
		l.Put([]byte("x\n"), nil)
		started := time.Now()
		if l.End(); time.Since(started) != time.Minute || !errors.Is(failure, os.ErrDeadlineExceeded) {
			t.Errorf("%v after %s", failure, time.Since(started))
		}
	})
}
