// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"net/http"

	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/panics"
)

// answerPanic answers for a handler that panicked with p. When the answer was under way already, it
// cuts the connection, so that no client takes it for whole.
func (a *answer) answerPanic(p any, reporter *panics.Reporter, request string) {
	if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so, too
		panic(p)
	}
	reporter.Report(p, "HTTP", "request", request)
	if a.status != 0 {
		panic(http.ErrAbortHandler)
	}
	problem.Internal().WriteHTTP(a)
}
