// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"sync"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// InFlight counts the requests under way, over HTTP and gRPC together. It is safe for concurrent use.
type InFlight struct {
	max, maxPerCaller int // 0: no limit

	mu    sync.Mutex // over what follows
	total int
	each  map[string]int // by RateKey; those that have none are not in it
}

// NewInFlight bounds the requests at once: all of them, and those of one caller.
func NewInFlight(most, mostPerCaller int) *InFlight {
	return &InFlight{max: most, maxPerCaller: mostPerCaller, each: map[string]int{}}
}

// inFlightRetry is when a caller with too many requests under way may try again: some of them wait for the log.
const inFlightRetry = time.Second

// Enter counts a request of the caller called key until leave is called, or returns the refusal: gateway.ErrBusy, or
// that of a caller who has to wait.
func (f *InFlight) Enter(key string) (leave func(), err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.maxPerCaller > 0 && f.each[key] >= f.maxPerCaller {
		return nil, problem.AtOnceError(inFlightRetry)
	}
	if f.max > 0 && f.total >= f.max {
		return nil, gateway.ErrBusy
	}
	f.total++
	f.each[key]++
	return sync.OnceFunc(func() { f.leave(key) }), nil
}

// Count returns how many requests are under way.
func (f *InFlight) Count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.total
}

func (f *InFlight) leave(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.total--
	if f.each[key]--; f.each[key] == 0 {
		delete(f.each, key)
	}
}
