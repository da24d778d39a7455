// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"io"
	"net/http"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Linger bounds what is read of a request after it was refused.
type Linger struct {
	Time time.Duration // in all
	Idle time.Duration // without a byte
	// IdleStream is Idle over HTTP/2, where a client that has stopped sending may wait for the end of the stream.
	IdleStream time.Duration
	Bytes      int64
	Most       int // of requests that are read on at once; those beyond are cut off
}

// netRest is how much of a body net/http reads by itself before it sends an answer, in bytes.
const netRest = 256 << 10

// DeliverRefusals lets refusals reach clients that are still sending. A connection that is closed while
// something sent to it is unread is reset, and the client loses the answer that it has not read yet; a stream of
// HTTP/2 that is reset loses it in some clients, too. So a refusal is sent at once, and what the client goes on to
// send is read, and dropped, until it stops or a bound is reached. net/http by itself reads what is small, and waits a
// little for clients without TLS that did not ask for 100 Continue.
func DeliverRefusals(next http.Handler, l Linger) http.Handler {
	places := make(chan struct{}, l.Most)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		refusal := &refusalWriter{ResponseWriter: w, request: r, body: newCountedBody(r), places: places}
		defer refusal.leave()
		counted := r.WithContext(r.Context())
		counted.Body = refusal.body
		next.ServeHTTP(refusal, counted)
		if refusal.lingers {
			l.readOn(w, r)
		}
	})
}

// readOn sends what was answered, and reads on.
func (l Linger) readOn(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	if err := control.Flush(); err != nil {
		return
	}
	idle := l.Idle
	if r.ProtoMajor > 1 {
		idle = l.IdleStream
	}
	rest := &timedRest{src: r.Body, control: control, idle: idle, end: time.Now().Add(l.Time)}
	_, _ = io.CopyN(io.Discard, rest, l.Bytes) // its errors are the client's
}

// countedBody notes how much of a body is left.
type countedBody struct {
	io.ReadCloser
	left  int64 // negative: the client did not say
	ended bool
	note  *gateway.RequestNote
}

func newCountedBody(r *http.Request) *countedBody {
	return &countedBody{ReadCloser: r.Body, left: r.ContentLength, note: gateway.NoteFrom(r.Context())}
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left > 0 {
		b.left -= int64(n)
	}
	b.ended = b.ended || err == io.EOF
	b.note.NoteBytes(n)
	return n, err
}

// refusalWriter prepares refusals for being read on after.
type refusalWriter struct {
	http.ResponseWriter
	request *http.Request
	body    *countedBody
	places  chan struct{}
	wrote   bool
	lingers bool // has one of places
}

// Unwrap lets http.ResponseController reach the connection.
func (w *refusalWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *refusalWriter) WriteHeader(status int) {
	if !w.wrote && status >= 400 && w.isUnderWay() && w.enter() {
		_ = http.NewResponseController(w.ResponseWriter).EnableFullDuplex() // else net/http reads before it sends
		if w.request.ProtoMajor == 1 {
			// What is left of the body must not pass for another request. And curl stops sending then, once it has
			// read the answer.
			w.Header().Set("Connection", "close")
		}
	}
	w.wrote = w.wrote || status >= 200
	w.ResponseWriter.WriteHeader(status)
}

// isUnderWay reports whether the client is still sending more than net/http would read.
func (w *refusalWriter) isUnderWay() bool {
	switch {
	case w.body.ended:
		return false
	case w.request.ProtoMajor > 1 || w.request.Header.Get("Expect") != "":
		return true
	}
	return w.body.left < 0 || w.body.left > netRest
}

func (w *refusalWriter) enter() bool {
	select {
	case w.places <- struct{}{}:
		w.lingers = true
	default:
	}
	return w.lingers
}

func (w *refusalWriter) leave() {
	if w.lingers {
		<-w.places
	}
}

// Write implements http.ResponseWriter.
func (w *refusalWriter) Write(p []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(p)
}

// timedRest bounds each read in time, and all of them.
type timedRest struct {
	src     io.Reader
	control *http.ResponseController
	idle    time.Duration
	end     time.Time
}

func (t *timedRest) Read(p []byte) (int, error) {
	deadline := time.Now().Add(t.idle)
	if t.end.Before(deadline) {
		deadline = t.end
	}
	_ = t.control.SetReadDeadline(deadline) // not possible in some tests
	return t.src.Read(p)
}
