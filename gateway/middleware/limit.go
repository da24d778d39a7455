// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"context"
	"net/http"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/ratelimit"
)

// RateLimit is what requests are held to, over HTTP and gRPC together. A nil one counts nothing.
type RateLimit struct {
	Limiter ratelimit.Limiter
	Limit   ratelimit.Limit // of each key
	// RefuseUncounted: when the limiter itself fails, requests are refused. Otherwise they go on.
	RefuseUncounted bool
}

// CountRequest counts one request under key, which RateKey makes. The error is its refusal, nil: it may go on. It returns nil
// for the decision where nothing was decided.
func (l *RateLimit) CountRequest(ctx context.Context, key string) (*ratelimit.Decision, error) {
	if l == nil {
		return nil, nil //nolint:nilnil // documented
	}
	d, err := l.Limiter.Take(ctx, key, l.Limit)
	switch {
	case err != nil && l.RefuseUncounted:
		return nil, problem.ErrUncounted
	case err != nil:
		return nil, nil //nolint:nilnil // documented
	case !d.Allowed:
		return &d, problem.LimitedError(d.RetryAfter)
	}
	return &d, nil
}

// LimitRate refuses callers who ask more often than limit lets them, each counted by RateKey. Only the API below /v1/ counts.
// Every answer to a request that was counted says what is left.
func LimitRate(next http.Handler, limit *RateLimit) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/v1/") {
			next.ServeHTTP(w, r)
			return
		}
		d, err := limit.CountRequest(r.Context(), RateKey(gateway.CallerFrom(r.Context()), r.RemoteAddr))
		setRateFields(w.Header(), d)
		if err != nil {
			problem.FromError(err).WriteHTTP(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}
