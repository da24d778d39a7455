// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"net/http"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// RequestIDHeader names a request in it and in its answer.
const RequestIDHeader = "X-Request-Id"

// NameRequest gives every request an id, the caller's own where it is sane (gateway.NewRequestID), which stands in
// the context and in the answer; and a gateway.RequestNote.
func NameRequest(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := gateway.NewRequestID(r.Header.Get(RequestIDHeader))
		w.Header().Set(RequestIDHeader, id)
		ctx := gateway.WithRequestNote(r.Context(), new(gateway.RequestNote))
		next.ServeHTTP(w, r.WithContext(gateway.WithRequestID(ctx, id)))
	})
}
