// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"errors"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// tripAfter is how many calls in a row have to fail before nothing more is sent to a log.
const tripAfter = 5

// errGivenUp is what became of a call that says nothing of the log: it was not made, or this process ended it.
var errGivenUp = errors.New("given up")

// newBreaker returns a closed breaker. After reopen in the open state it lets one call through, whose success closes it.
// A call counts in the state that it began in alone: those that were under way when it opened do not open it again.
// The function changed is called under the breaker's lock.
func newBreaker(reopen time.Duration, changed func(to gobreaker.State)) *gobreaker.TwoStepCircuitBreaker[any] {
	return gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
		MaxRequests:   1,
		Timeout:       reopen,
		ReadyToTrip:   func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= tripAfter },
		OnStateChange: func(_ string, _, to gobreaker.State) { changed(to) },
		IsSuccessful:  logAnswers,
		IsExcluded:    func(err error) bool { return errors.Is(err, errGivenUp) },
	})
}

// logAnswers reports whether a log that gives this error works: one that refuses an entry does, and so does one that is
// busy, which the budget's other parts see to.
func logAnswers(err error) bool {
	var overload *gateway.OverloadError
	return err == nil || errors.Is(err, gateway.ErrRefused) || errors.As(err, &overload)
}
