// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"

	"github.com/rekor-gateway/rekor-gateway/gateway/auth"
)

// takePathTokens takes tokens out of the paths of URLs before anything else sees a request: what comes after it, logs and traces
// among them, knows their hashes alone.
func takePathTokens(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, rest := auth.TakePathToken(r.URL.Path, r.URL.RawPath)
		if token == nil {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Referrer-Policy", "no-referrer") // a page's own address has the token
		bare := r.WithContext(auth.WithPathToken(r.Context(), token))
		where := *r.URL
		where.Path, where.RawPath = rest, ""
		bare.URL, bare.RequestURI = &where, where.RequestURI()
		next.ServeHTTP(w, bare)
	})
}
