// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// Admission bounds the requests under way together.
type Admission struct {
	InFlight *InFlight
	Memory   *gateway.Memory
	MaxTime  time.Duration // of one request; 0: as long as it likes
	MaxLines int           // of a request's header
	Size     int64         // bytes that a request holds by itself
}

// Admit lets in a request of the caller called key, which holds size bytes by itself. done ends it and gives
// back all that held has. An error is the refusal.
func (a Admission) Admit(key string, size int64) (held *gateway.Held, done func(), err error) {
	leave, err := a.InFlight.Enter(key)
	if err != nil {
		return nil, nil, err
	}
	if held, err = a.Memory.Admit(size); err != nil {
		leave()
		return nil, nil, err
	}
	return held, func() { held.Close(); leave() }, nil
}

// AdmitRequests refuses requests for what is below a path where there is no room for them, and ends those that take too long. What a
// request holds is counted in the gateway.Held of its context. Other paths do not count, so that probes are answered.
func AdmitRequests(next http.Handler, below string, a Admission) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, below) {
			next.ServeHTTP(w, r)
			return
		}
		if countLines(r.Header) > a.MaxLines {
			problem.FromError(problem.Malformed(fmt.Sprintf("there are more than %d header lines", a.MaxLines), "send fewer")).WriteHTTP(w)
			return
		}
		held, done, err := a.Admit(RateKey(gateway.CallerFrom(r.Context()), r.RemoteAddr), a.Size)
		if err != nil {
			problem.FromError(err).WriteHTTP(w)
			return
		}
		defer done()
		ctx, cancel := limitTime(gateway.WithHeld(r.Context(), held), a.MaxTime)
		defer cancel()
		admitted := r.WithContext(ctx)
		defer func() { r.Pattern = admitted.Pattern }() // the access log asks r for its route
		next.ServeHTTP(w, admitted)
	})
}

// countLines counts lines of the same name, too.
func countLines(h http.Header) (n int) {
	for _, values := range h {
		n += len(values)
	}
	return n
}

// limitTime returns a context that ends after longest; 0 is as long as ctx.
func limitTime(ctx context.Context, longest time.Duration) (context.Context, context.CancelFunc) {
	if longest == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, longest)
}
