// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"net/http"
	"slices"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/panics"
)

// Answered is a request that was answered.
type Answered struct {
	Method, Route string // Route is the pattern that matched, or "none"
	Status        int
	Reason        string // of a refusal; "" is none
	Duration      time.Duration
}

// answerTimeout bounds the time from an answer's first byte to its last. It also bounds reading the
// rest of a request that was answered early: net/http reads some of the body before it sends the
// answer.
const answerTimeout = time.Minute

// LogAccess logs one line per request (AccessLog), counts it, and answers 500 to a panic. next must leave the route
// that took the request in its Pattern.
func LogAccess(next http.Handler, log AccessLog, count func(Answered), reporter *panics.Reporter) http.Handler {
	return logAccess(next, log, count, reporter, answerTimeout)
}

func logAccess(next http.Handler, log AccessLog, count func(Answered), reporter *panics.Reporter, timeout time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		a := &answer{ResponseWriter: w, timeout: timeout}
		defer func() {
			if p := recover(); p != nil {
				a.answerPanic(p, reporter, gateway.RequestID(r.Context()))
			}
			done := Answered{methodLabel(r), routeLabel(r), a.statusCode(), a.reason(), time.Since(started)}
			count(done)
			describeRequest(r.Context(), done)
			log.logRequest(r, done, a.bytes)
		}()
		next.ServeHTTP(a, r)
	})
}

// answer notes what is written.
type answer struct {
	http.ResponseWriter
	status  int
	bytes   int64
	refusal []byte // the body of an answer with status 400 and above, up to maxRefusal bytes
	timeout time.Duration
}

// maxRefusal bounds what is kept of a refusal's body.
const maxRefusal = 4 << 10

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
	if a.status >= 400 && len(a.refusal)+len(p) <= maxRefusal {
		a.refusal = append(a.refusal, p...)
	}
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

func (a *answer) statusCode() int {
	if a.status == 0 {
		return http.StatusOK
	}
	return a.status
}

// reason returns the reason in the refusal that was sent, or "".
func (a *answer) reason() string { return problem.HTTPReason(a.Header(), a.refusal) }

var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}

// methodLabel keeps made-up methods out of metric labels.
func methodLabel(r *http.Request) string {
	if slices.Contains(methods, r.Method) {
		return r.Method
	}
	return "OTHER"
}

func routeLabel(r *http.Request) string {
	if r.Pattern == "" || r.Pattern == "/" {
		return "none"
	}
	return r.Pattern
}
