// SPDX-License-Identifier: Apache-2.0

package web

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"time"
)

// Metrics is told of each request once it is answered. route is the pattern that took it, or
// "none".
type Metrics func(method, route string, status int, d time.Duration)

// answerTimeout bounds the time from an answer's first byte to its last. What is still to come
// of a request that was answered before its body had been read is waited for no longer
// either: net/http reads some of it before it sends the answer.
const answerTimeout = time.Minute

// Record logs one line per request, counts it, and answers 500 to a panic. The line holds
// nothing of what was submitted. next must pass its request on as it is, so that the route
// is known afterwards.
func Record(next http.Handler, logger *slog.Logger, count Metrics) http.Handler {
	return record(next, logger, count, answerTimeout)
}

func record(next http.Handler, logger *slog.Logger, count Metrics, timeout time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		a := &answer{ResponseWriter: w, timeout: timeout}
		defer func() {
			if p := recover(); p != nil {
				a.panicked(p, logger)
			}
			d := time.Since(started)
			count(method(r), route(r), a.code(), d)
			logger.Info("request", "method", method(r), "path", shorten(r.URL.Path), "route", route(r),
				"status", a.code(), "duration", d.Round(time.Microsecond), "bytes", a.bytes, "reason", a.reason())
		}()
		next.ServeHTTP(a, r)
	})
}

// answer notes what is written.
type answer struct {
	http.ResponseWriter
	status  int
	bytes   int64
	problem []byte // the body of a refusal
	timeout time.Duration
}

// maxProblem bounds what is kept of a refusal's body.
const maxProblem = 4 << 10

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
		control, end := http.NewResponseController(a.ResponseWriter), time.Now().Add(a.timeout)
		_ = control.SetWriteDeadline(end) // not possible in some tests
		_ = control.SetReadDeadline(end)
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if a.status >= 400 && len(a.problem)+len(p) <= maxProblem {
		a.problem = append(a.problem, p...)
	}
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

func (a *answer) code() int {
	if a.status == 0 {
		return http.StatusOK
	}
	return a.status
}

// reason is that of the refusal that was sent, or "".
func (a *answer) reason() string {
	var p problem
	if a.Header().Get("Content-Type") != problemType || json.Unmarshal(a.problem, &p) != nil {
		return ""
	}
	return p.Reason
}

// panicked answers for a handler that panicked; when the answer was under way already, it
// cuts the connection, so that no client takes it for whole.
func (a *answer) panicked(p any, logger *slog.Logger) {
	if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so, too
		panic(p)
	}
	logger.Error("panic in a request", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	if a.status != 0 {
		panic(http.ErrAbortHandler)
	}
	refuse(a, http.StatusInternalServerError, reasonInternal, "the gateway could not do this", "the gateway's log says why")
}

var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}

// method keeps made-up methods out of metric labels.
func method(r *http.Request) string {
	if slices.Contains(methods, r.Method) {
		return r.Method
	}
	return "OTHER"
}

func route(r *http.Request) string {
	if r.Pattern == "" || r.Pattern == "/" {
		return "none"
	}
	return r.Pattern
}

func shorten(path string) string {
	const longest = 128
	if len(path) <= longest {
		return path
	}
	return path[:longest] + "…"
}
