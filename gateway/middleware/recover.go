// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// answerPanic answers for a handler that panicked with p. When the answer was under way already, it
// cuts the connection, so that no client takes it for whole.
func (a *answer) answerPanic(p any, logger *slog.Logger) {
	if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so, too
		panic(p)
	}
	logger.Error("panic in a request", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	if a.status != 0 {
		panic(http.ErrAbortHandler)
	}
	problem.Internal().WriteHTTP(a)
}
