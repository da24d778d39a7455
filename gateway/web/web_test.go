// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bytes"
	"context"
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
)

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }

func TestGuardHosts(t *testing.T) {
	h := Guard(http.HandlerFunc(ok), "gateway.internal:8080", []string{"Sign.Example.com", "other:443"})
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:8080": 200, "localhost.:1": 200, "127.0.0.1:99": 200, "127.8.9.1": 200, "[::1]:8080": 200, "[::1]": 200,
		"gateway.internal": 200, "gateway.internal:1": 200, "sign.example.com": 200, "other": 200, "10.1.2.3:8080": 200,
		"evil.example": 421, "localhost.evil.example": 421, "10.1.2.4": 421, "": 421, "127.0.0.1.nip.example:8080": 421, "0.0.0.0:8080": 421,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.ParseIP("10.1.2.3"), Port: 8080}))
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: %d, want %d", host, w.Code, want)
		}
		if want == 421 && !strings.Contains(w.Body.String(), `"reason":"HOST_NOT_ALLOWED"`) {
			t.Errorf("%q: %s", host, w.Body)
		}
	}
}

// A gateway that listens on every address is not called by the name of that.
func TestGuardUnspecified(t *testing.T) {
	h := Guard(http.HandlerFunc(ok), "0.0.0.0:8080", nil)
	r := httptest.NewRequest(http.MethodGet, "http://0.0.0.0:8080/", nil)
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusMisdirectedRequest {
		t.Errorf("%d", w.Code)
	}
}

func TestGuardCrossOrigin(t *testing.T) {
	h := Guard(http.HandlerFunc(ok), "127.0.0.1:8080", nil)
	for name, c := range map[string]struct {
		header, value string
		want          int
	}{
		"no browser":   {"X", "y", 200},
		"own page":     {"Sec-Fetch-Site", "same-origin", 200},
		"strange page": {"Sec-Fetch-Site", "cross-site", 403},
		"old browser":  {"Origin", "https://evil.example", 403},
	} {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8080/", nil)
		r.Header.Set(c.header, c.value)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want || w.Code == 403 && w.Header().Get("Content-Type") != problemType {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestRecord(t *testing.T) {
	var log bytes.Buffer
	var counted []string
	mux := http.NewServeMux()
	mux.HandleFunc("GET /things/{id}", ok)
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("secret state") })
	mux.HandleFunc("GET /refused", func(w http.ResponseWriter, _ *http.Request) { refuse(w, 422, "WHY", "d", "h") })
	h := Record(Guard(mux, "x", nil), slog.New(slog.NewTextHandler(&log, nil)), func(method, route string, status int, _ time.Duration) {
		counted = append(counted, method+" "+route+" "+http.StatusText(status))
	})
	for _, path := range []string{"/things/1?label=secret", "/panic", "/refused", "/nothing"} {
		r := httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: %s", path, w.Body)
		}
	}
	want := "GET GET /things/{id} OK|GET GET /panic Internal Server Error|GET GET /refused Unprocessable Entity|GET none Not Found"
	if got := strings.Join(counted, "|"); got != want {
		t.Errorf("counted %s", got)
	}
	for _, want := range []string{"path=/things/1 ", "reason=WHY", "reason=INTERNAL", "status=500", "secret state"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, &log)
		}
	}
	if strings.Contains(log.String(), "label=secret") {
		t.Error("the query is in the log")
	}
}

// A panic after the answer began must not look like a whole answer.
func TestLatePanicCutsTheConnection(t *testing.T) {
	h := Record(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<16))
		panic("late")
	}), slog.New(slog.DiscardHandler), func(string, string, int, time.Duration) {})
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
	h := record(http.NotFoundHandler(), slog.New(slog.DiscardHandler), func(string, string, int, time.Duration) {}, 100*time.Millisecond)
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
