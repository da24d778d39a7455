// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

var testLinger = Linger{Time: 10 * time.Second, Idle: time.Second, IdleStream: 100 * time.Millisecond, Bytes: 64 << 20, Most: 2}

// refuseAfter refuses once it has read n bytes.
func refuseAfter(n int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, n)
		problem.NoSuchPath().WriteHTTP(w)
	})
}

func serveLingering(t *testing.T, next http.Handler, l Linger) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(DeliverRefusals(next, l))
	t.Cleanup(s.Close)
	return s
}

func connect(t *testing.T, s *httptest.Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

// A client that reads nothing before it has sent all, as many do, still gets to read the refusal.
func TestRefusalAfterAllIsSent(t *testing.T) {
	const size = 32 << 20
	for name, head := range map[string]string{
		"plain":        fmt.Sprintf("Content-Length: %d\r\n\r\n", size),
		"100-continue": fmt.Sprintf("Content-Length: %d\r\nExpect: 100-continue\r\n\r\n", size),
	} {
		for _, read := range []int64{0, 1 << 20} {
			conn := connect(t, serveLingering(t, refuseAfter(read), testLinger))
			_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\n"+head)
			if _, err := conn.Write(make([]byte, size)); err != nil {
				t.Errorf("%s, %d bytes read: sending: %v", name, read, err)
				continue
			}
			answer, err := io.ReadAll(conn)
			if err != nil || !bytes.Contains(answer, []byte("HTTP/1.1 404 ")) || !bytes.Contains(answer, []byte(`"NOT_FOUND"`)) ||
				!bytes.Contains(answer, []byte("Connection: close")) {
				t.Errorf("%s, %d bytes read: %v: %.300s", name, read, err, answer)
			}
		}
	}
}

// A slow client learns at once that it need not go on.
func TestRefusalComesAtOnce(t *testing.T) {
	conn := connect(t, serveLingering(t, refuseAfter(0), testLinger))
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nx")
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != 404 || !answer.Close || !strings.Contains(string(body), "NOT_FOUND") {
		t.Errorf("%v: %+v: %s", err, answer, body)
	}
}

// What is small is read, and the connection is kept.
func TestSmallRefusalKeepsTheConnection(t *testing.T) {
	conn := connect(t, serveLingering(t, refuseAfter(0), testLinger))
	answers := bufio.NewReader(conn)
	for range 3 {
		_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("x", 100000))
		answer, err := http.ReadResponse(answers, nil)
		if err != nil || answer.StatusCode != 404 || answer.Close {
			t.Fatalf("%v: %+v", err, answer)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
}

// Nobody is read on for ever: not who is silent, not who trickles, not who floods, not too many.
func TestLingerEnds(t *testing.T) {
	for name, c := range map[string]struct {
		linger Linger
		send   func(net.Conn) error
	}{
		"silent":   {Linger{Time: time.Minute, Idle: 100 * time.Millisecond, Bytes: 1 << 40, Most: 1}, func(net.Conn) error { return nil }},
		"trickles": {Linger{Time: 300 * time.Millisecond, Idle: time.Minute, Bytes: 1 << 40, Most: 1}, sendForEver(1, 10*time.Millisecond)},
		"floods":   {Linger{Time: time.Minute, Idle: time.Minute, Bytes: 10 << 20, Most: 1}, sendForEver(1<<20, 0)},
		"too many": {Linger{Time: time.Minute, Idle: time.Minute, Bytes: 1 << 40}, sendForEver(1<<20, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			conn := connect(t, serveLingering(t, refuseAfter(0), c.linger))
			_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n")
			go func() { _ = c.send(conn) }()
			if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection is still held")
			}
		})
	}
}

func sendForEver(size int, pause time.Duration) func(net.Conn) error {
	return func(conn net.Conn) error {
		for {
			if _, err := conn.Write(make([]byte, size)); err != nil {
				return err
			}
			time.Sleep(pause)
		}
	}
}

// Over HTTP/2, a client that waits for the end of the stream does not wait long.
func TestRefusalOverHTTP2(t *testing.T) {
	s := httptest.NewUnstartedServer(DeliverRefusals(refuseAfter(1<<20), testLinger))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	for range 20 {
		started := time.Now()
		answer, err := s.Client().Post(s.URL, "text/plain", bytes.NewReader(make([]byte, 32<<20)))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.ProtoMajor != 2 || answer.StatusCode != 404 || !strings.Contains(string(body), "NOT_FOUND") {
			t.Errorf("%v: %+v: %s", err, answer, body)
		}
		if d := time.Since(started); d > testLinger.Idle {
			t.Errorf("it took %s", d)
		}
	}
}

// What is taken is not read on.
func TestTakenIsNotReadOn(t *testing.T) {
	s := serveLingering(t, http.HandlerFunc(ok), testLinger)
	answer, err := s.Client().Post(s.URL, "text/plain", strings.NewReader("x"))
	if err != nil || answer.StatusCode != 200 || answer.Close {
		t.Errorf("%v %+v", err, answer)
	}
	answer.Body.Close()
}
