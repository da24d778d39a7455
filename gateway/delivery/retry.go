// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"time"

	"github.com/cenkalti/backoff/v5"
)

// retryDelay returns how long to wait after the n-th attempt: exponential with jitter, from
// about half a second to five minutes.
func retryDelay(n int) time.Duration {
	b := backoff.NewExponentialBackOff()
	b.MaxInterval = 5 * time.Minute
	d := b.NextBackOff()
	for range min(n-1, 32) {
		d = b.NextBackOff()
	}
	return d
}
