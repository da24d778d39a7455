// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
)

// dialBatch begins a batch by hand, in chunks.
func dialBatch(t *testing.T, s *server) (conn net.Conn, send io.Writer) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if tcp, ok := conn.(*net.TCPConn); !ok || tcp.SetReadBuffer(64<<10) != nil || tcp.SetWriteBuffer(64<<10) != nil { // else the system holds megabytes, as many as it likes
		t.Fatal("no buffers set")
	}
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n", batchPath)
	return conn, httputil.NewChunkedWriter(conn)
}

// readBatch reads the answer to a batch that was begun by hand, to its end.
func readBatch(t *testing.T, conn net.Conn) map[int]answerLine {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("after %d bytes: %v", len(raw), err)
	}
	return readAnswers(t, raw)
}

// withPace sets how fast clients have to be.
func withPace(p upload.Pace) func(*HTTPConfig) {
	return func(c *HTTPConfig) { c.Upload.Pace = p }
}

// Clients that send and never read are read no further than the bound on their answers goes, and are cut off in the end; nothing of them
// stays.
func TestLineBatchesThatNobodyReads(t *testing.T) {
	const clients = 3
	memory := gateway.NewMemory(256 << 20)
	s := serveLines(t, start(t, gatewaytest.NewLog()), memory, withPace(upload.Pace{Idle: time.Second}))
	lines := bytes.Repeat([]byte("{\n"), 16<<10)
	ended := make(chan int64, clients)
	for range clients {
		conn, send := dialBatch(t, s)
		go func() {
			sent := int64(0)
			for {
				n, err := send.Write(lines)
				if sent += int64(n); err != nil {
					break
				}
			}
			conn.Close()
			ended <- sent
		}()
	}
	most := int64(0)
	for open := clients; open > 0; {
		select {
		case sent := <-ended:
			open--
			if sent > 1<<20 {
				t.Errorf("%d bytes of lines were read of a client who reads nothing", sent)
			}
		case <-time.After(time.Millisecond):
			most = max(most, memory.Used())
		}
	}
	const each = upload.RequestMemory + upload.LineMemory + upload.MaxBatchAnswers + 2*upload.MaxBatchParallel*(64<<10)*upload.JSONCopies/16
	if most > clients*each || most < upload.MaxBatchAnswers {
		t.Errorf("at most %d bytes were held, want up to %d for each of %d clients", most, each, clients)
	}
	waitFor(t, func() bool { return memory.Used() == 0 })
}

// A client that sends all before it reads is served as far as the bound goes.
func TestLineBatchSentBeforeItIsRead(t *testing.T) {
	const lines = 8000
	s := serveLines(t, start(t, gatewaytest.NewLog()), gateway.NewMemory(64<<20), noChange)
	conn, send := dialBatch(t, s)
	if _, err := io.WriteString(send, strings.Repeat("{}\n", lines)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, "0\r\n\r\n")
	if got := readBatch(t, conn); len(got) != lines {
		t.Errorf("%d answers", len(got))
	}
}

// 100,000 lines that are all refused: none is lost, and little memory is enough.
func TestLineBatchOfRefusals(t *testing.T) {
	const lines = 100_000
	memory := gateway.NewMemory(8 << 20)
	s := serveLines(t, start(t, gatewaytest.NewLog()), memory, noChange)
	got := s.sendLines("", strings.NewReader(strings.Repeat(`{"ref":"r","signature":"!"}`+"\n", lines)))
	if len(got) != lines {
		t.Errorf("%d answers", len(got))
	}
	for _, a := range got {
		if a.Problem.Reason != "MALFORMED_REQUEST" || a.Ref != "r" {
			t.Fatalf("%+v", a)
		}
	}
	waitFor(t, func() bool { return memory.Used() == 0 })
}

// Half a line, and then silence, or next to nothing: the batch ends, and says after which line. Between lines a client may rest.
func TestLineBatchOfASlowClient(t *testing.T) {
	const idle = 400 * time.Millisecond
	for name, c := range map[string]struct {
		rate  int64
		send  string
		every time.Duration
		pause time.Duration // between lines
	}{
		"silence":        {0, "", time.Hour, 0},
		"a byte a while": {1 << 10, "x", 20 * time.Millisecond, 0},
		"after rests":    {1 << 20, "x", 20 * time.Millisecond, idle / 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serveLines(t, start(t, gatewaytest.NewLog()), gateway.NewMemory(64<<20), withPace(upload.Pace{Idle: idle, MinRate: c.rate}))
			conn, send := dialBatch(t, s)
			for range 4 {
				_, _ = io.WriteString(send, "{}\n")
				time.Sleep(c.pause)
			}
			_, _ = io.WriteString(send, `{"signature":"`)
			ended := make(chan struct{})
			defer close(ended)
			go func() {
				for tick := time.NewTicker(c.every); ; {
					select {
					case <-tick.C:
						_, _ = io.WriteString(send, c.send)
					case <-ended:
						return
					}
				}
			}()
			started := time.Now()
			got := readBatch(t, conn)
			if a := got[0]; len(got) != 5 || a.Problem.Reason != "REQUEST_TIMEOUT" || a.Status != 408 || *a.EndedAfter != 4 {
				t.Errorf("%+v", got)
			}
			if took := time.Since(started); took > 10*time.Second {
				t.Errorf("after %s", took)
			}
		})
	}
}

// repeated is one byte many times.
type repeated struct{ left int64 }

func (r *repeated) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), r.left))
	for i := range p[:n] {
		p[i] = 'x'
	}
	r.left -= int64(n)
	return n, nil
}

// A line that is too long is refused, and the next one is taken; one without end ends the batch, in little memory.
func TestLineBatchOfLongLines(t *testing.T) {
	memory := gateway.NewMemory(64 << 20)
	s := serveLines(t, start(t, gatewaytest.NewLog()), memory, noChange)
	good := signedLine(t, "after", "after a long line")
	got := s.sendLines("", io.MultiReader(&repeated{upload.MaxLine + 1}, strings.NewReader("\n"+good+"\n")))
	if len(got) != 2 || got[1].Problem.Reason != "TOO_LARGE" || got[1].Status != 413 || got[2].Ref != "after" || got[2].Status > 202 {
		t.Errorf("%+v", got)
	}
	most := int64(0)
	done := make(chan map[int]answerLine)
	go func() {
		conn, send := dialBatch(t, s)
		_, _ = io.WriteString(send, "{}\n")
		go func() { _, _ = io.CopyBuffer(send, &repeated{1 << 30}, make([]byte, 1<<20)) }()
		done <- readBatch(t, conn)
	}()
	for {
		select {
		case got := <-done:
			if a := got[0]; len(got) != 2 || a.EndedAfter == nil || *a.EndedAfter != 1 || a.Status != 413 {
				t.Errorf("%+v", got)
			}
			if most > 2*upload.MaxLine+1<<20 {
				t.Errorf("%d bytes were held", most)
			}
			return
		case <-time.After(time.Millisecond):
			most = max(most, memory.Used())
		}
	}
}

// What was answered before the connection broke is stored; who sends all of it again gets the same.
func TestLineBatchThatBreaks(t *testing.T) {
	service := start(t, gatewaytest.NewLog())
	memory := gateway.NewMemory(64 << 20)
	s := serveLines(t, service, memory, noChange)
	var body strings.Builder
	const lines = 20
	for i := range lines {
		body.WriteString(signedLine(t, "", fmt.Sprint("text ", i)) + "\n")
	}
	conn, send := dialBatch(t, s)
	_, _ = io.WriteString(send, body.String()+`{"signature":"YQ`)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(res.Body)
	stored := map[int]string{}
	for range 5 {
		line, err := answers.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		a := readAnswer(t, line)
		stored[a.Line] = a.Submission.ID
	}
	conn.Close()
	for _, id := range stored {
		if _, err := service.Get(t.Context(), gateway.DefaultTenant, id); err != nil {
			t.Errorf("%s was answered: %v", id, err)
		}
	}
	waitFor(t, func() bool { return memory.Used() == 0 })
	again := s.sendLines("", strings.NewReader(body.String()))
	ids := map[string]bool{}
	for line, a := range again {
		if before := stored[line]; a.Status > 202 || before != "" && a.Submission.ID != before {
			t.Errorf("line %d was %s: %+v", line, before, a)
		}
		ids[a.Submission.ID] = true
	}
	if len(ids) != lines {
		t.Errorf("%d submissions, want %d", len(ids), lines)
	}
}
