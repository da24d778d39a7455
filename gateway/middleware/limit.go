// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"net/http"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/ratelimit"
)

// LimitRate refuses callers who ask more often than limiter lets them, each counted by RateKey.
// When the limiter itself fails, callers may go on. Only the API below /v1/ counts.
func LimitRate(next http.Handler, limiter ratelimit.Limiter) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/v1/") {
			next.ServeHTTP(w, r)
			return
		}
		key := RateKey(gateway.CallerFrom(r.Context()), r.RemoteAddr)
		if wait, err := limiter.Take(r.Context(), key); err == nil && wait > 0 {
			problem.RateLimited(wait).WriteHTTP(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}
