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

// shorten returns after how long is asked again what is to be asked after wait, and expires after left: early enough that one failure more does not matter.
func shorten(wait, left time.Duration) time.Duration {
	return min(wait, max(left/2, retryFirst))
}

// Follow refreshes now and from time to time, until ctx ends. Failures are in Status, and the logger is told.
func (t *TUF) Follow(ctx context.Context) {
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.MaxInterval = retryFirst, refreshEvery
	steady := backoff.NewExponentialBackOff() // for its spread alone: many gateways do not ask at once
	steady.InitialInterval, steady.MaxInterval, steady.Multiplier, steady.RandomizationFactor = refreshEvery, refreshEvery, 1, 0.1
	for {
		wait := steady.NextBackOff()
		if s, err := t.Refresh(ctx); err != nil {
			wait = retry.NextBackOff()
		} else {
			wait = shorten(wait, s.Expires.Sub(t.cfg.Now()))
			retry.Reset()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}
