// SPDX-License-Identifier: Apache-2.0

// Package ratelimit bounds how often a caller may ask.
package ratelimit

import (
	"context"
	"time"
)

// Limiter decides about single requests. It is safe for concurrent use.
type Limiter interface {
	// Take asks for one request by the caller called key. It returns 0 when the request may go
	// on, and otherwise how long the caller has to wait before the next one could. An error
	// means that the limiter itself failed; the request may then go on.
	Take(ctx context.Context, key string) (wait time.Duration, err error)
}
