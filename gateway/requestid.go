// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"crypto/rand"
	"strings"
)

// maxRequestID bounds the name that a caller gives a request, in bytes.
const maxRequestID = 64

// NewRequestID returns the name of a request in logs and answers: given, when the caller named it and the
// name is at most 64 letters, digits, dots, dashes and underscores of ASCII; else one made up.
func NewRequestID(given string) string {
	if given != "" && len(given) <= maxRequestID && !strings.ContainsFunc(given, isStrange) {
		return given
	}
	return rand.Text()
}

// isStrange keeps out what could break a log line or a header.
func isStrange(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
		return false
	}
	return true
}

type requestIDKey struct{}

// WithRequestID returns a context of the request called id.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID returns what WithRequestID put into ctx, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
