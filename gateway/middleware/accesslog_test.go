// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/panics"
)

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }

func TestLogAccess(t *testing.T) {
	var log bytes.Buffer
	var counted []string
	mux := http.NewServeMux()
	mux.HandleFunc("GET /things/{id}", ok)
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("secret state") })
	mux.HandleFunc("GET /refused", func(w http.ResponseWriter, _ *http.Request) {
		problem.FromError(formats.NewError(formats.ReasonWeakAlgorithm, "d", "h")).WriteHTTP(w)
	})
	h := LogAccess(BlockForeignPages(IdentifyCaller(mux, anybody, nil), "x", nil), AccessLog{slog.New(slog.NewTextHandler(&log, nil))}, func(a Answered) {
		counted = append(counted, a.Method+" "+a.Route+" "+http.StatusText(a.Status))
	}, panics.NewReporter(slog.New(slog.NewTextHandler(&log, nil)), func(where string) { counted = append(counted, where) }))
	h = NameRequest(h)
	for _, path := range []string{"/things/1?label=secret", "/panic", "/refused", "/nothing"} {
		r := httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil)
		r.Header.Set(RequestIDHeader, "id-"+path[1:2])
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: %s", path, w.Body)
		}
	}
	want := "GET GET /things/{id} OK|HTTP|GET GET /panic Internal Server Error|GET GET /refused Unprocessable Entity|GET none Not Found"
	if got := strings.Join(counted, "|"); got != want {
		t.Errorf("counted %s", got)
	}
	for _, want := range []string{"path=/things/1 ", "reason=WEAK_ALGORITHM", "reason=INTERNAL", "status=500", "panic=string", "accesslog_test.go", "request=id-p"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, &log)
		}
	}
	if strings.Contains(log.String(), "secret") {
		t.Error("the query, or what a panic said, is in the log")
	}
}

// A panic after the answer began must not look like a whole answer.
func TestLatePanicCutsTheConnection(t *testing.T) {
	h := LogAccess(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<16))
		panic("late")
	}), AccessLog{}, func(Answered) {}, nil)
	s := httptest.NewServer(h)
	defer s.Close()
	resp, err := http.Get(s.URL)
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("the answer looks whole")
	}
}

// A client that never sends the body it announced must not hold a connection, although
// nothing reads that body.
func TestUnsentBodyIsNotWaitedFor(t *testing.T) {
	h := logAccess(http.NotFoundHandler(), AccessLog{}, func(Answered) {}, nil, 100*time.Millisecond)
	s := httptest.NewServer(h)
	defer s.Close()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection is still held")
	}
}
