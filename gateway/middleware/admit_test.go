// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

func TestInFlight(t *testing.T) {
	f := NewInFlight(3, 2)
	var leave []func()
	for _, key := range []string{"a", "a", "b"} {
		l, err := f.Enter(key)
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, l)
	}
	if _, err := f.Enter("a"); problem.FromError(err).Reason != problem.ReasonRateLimited || problem.FromError(err).RetryAfter == 0 ||
		!strings.Contains(problem.FromError(err).Message, "at once") {
		t.Errorf("a third of one caller: %v", err)
	}
	if _, err := f.Enter("c"); !errors.Is(err, gateway.ErrBusy) {
		t.Errorf("a fourth in all: %v", err)
	}
	leave[0]()
	leave[0]()
	if _, err := f.Enter("c"); err != nil {
		t.Errorf("after one has left: %v", err)
	}
	if _, err := f.Enter("c"); !errors.Is(err, gateway.ErrBusy) {
		t.Errorf("one that leaves twice makes room for two: %v", err)
	}
	leave[1]()
	leave[2]()
	if f.total != 1 || len(f.each) != 1 {
		t.Errorf("%d under way, callers %v", f.total, f.each)
	}
}

func TestAdmitRequests(t *testing.T) {
	m := gateway.NewMemory(100)
	var seen int64
	h := AdmitRequests(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = gateway.HeldFrom(r.Context()).Size()
		_ = gateway.HeldFrom(r.Context()).Grow(20)
		if _, ok := r.Context().Deadline(); !ok {
			t.Error("the request may take as long as it likes")
		}
		w.WriteHeader(http.StatusNoContent)
	}), APIPath, Admission{InFlight: NewInFlight(1, 1), Memory: m, MaxTime: time.Hour, MaxLines: 10, Size: 30})
	ask := func(path string, lines int) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		for i := range lines {
			r.Header.Add(fmt.Sprint("X-", i%2), "") // lines of the same name are lines
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for range 2 {
		if w := ask("/v1/formats", 10); w.Code != http.StatusNoContent || seen != 30 || m.Used() != 0 {
			t.Errorf("%d, %d bytes counted, %d stay held", w.Code, seen, m.Used())
		}
	}
	if w := ask("/v1/formats", 11); w.Code != http.StatusBadRequest {
		t.Errorf("with 11 header lines: %d", w.Code)
	}
	full, err := m.Admit(60)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	if w := ask("/v1/formats", 0); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "MEMORY_FULL") {
		t.Errorf("without memory: %d %v %s", w.Code, w.Header(), w.Body)
	}
	h = AdmitRequests(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { seen = 0 }), APIPath, Admission{Memory: m})
	for _, path := range []string{"/healthz", "/own/own-1f0c2a9e/checkpoint"} {
		if seen = -1; ask(path, 50).Code != http.StatusOK || seen != 0 {
			t.Errorf("%s is refused", path)
		}
	}
}

func TestNameRequest(t *testing.T) {
	for given, kept := range map[string]bool{"build-7": true, "": false, "a\x7fb": false, strings.Repeat("x", 65): false} {
		var known string
		h := NameRequest(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { known = gateway.RequestID(r.Context()) }))
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set(RequestIDHeader, given)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if known == "" || w.Header().Get(RequestIDHeader) != known || (known == given) != kept {
			t.Errorf("%q became %q, answered as %q", given, known, w.Header().Get(RequestIDHeader))
		}
	}
}
