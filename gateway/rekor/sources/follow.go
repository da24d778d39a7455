// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// refreshEvery is how often a repository is asked while it answers: two small requests as a rule.
	refreshEvery = time.Hour
	// retryFirst is how soon it is asked again after a failure; the time grows up to refreshEvery.
	retryFirst = time.Minute
)

// Follow refreshes now and from time to time, until ctx ends. Failures are in Status, and the logger is told.
func (t *TUF) Follow(ctx context.Context) {
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.MaxInterval = retryFirst, refreshEvery
	steady := backoff.NewExponentialBackOff() // for its spread alone: many gateways do not ask at once
	steady.InitialInterval, steady.MaxInterval, steady.Multiplier, steady.RandomizationFactor = refreshEvery, refreshEvery, 1, 0.1
	for {
		wait := steady.NextBackOff()
		if _, err := t.Refresh(ctx); err != nil {
			wait = retry.NextBackOff()
		} else {
			retry.Reset()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}
