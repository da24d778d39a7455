// SPDX-License-Identifier: Apache-2.0

package rekorv1

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/steady"
)

const (
	// shortestSpare is how long nothing is read of a log that is busy and does not say for how long.
	shortestSpare = time.Second
	// longestSpare bounds what it may ask for: what is in doubt waits for reads, and anybody in front of the log can say so.
	longestSpare = time.Minute
)

// spare is how long a log has asked not to be read. Writes have a budget of their own, in delivery. It is safe for concurrent use.
type spare struct {
	mu    sync.Mutex // guards what follows
	since steady.Mark
	wait  time.Duration // from then on; 0: it may be read
}

// check returns gateway.ErrUnavailable while the log is to be spared.
func (s *spare) check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wait == 0 {
		return nil
	}
	if left := s.wait - s.since.Elapsed(); left > 0 {
		return fmt.Errorf("%w: the log has asked not to be read for another %v", gateway.ErrUnavailable, left.Round(time.Second))
	}
	s.wait = 0
	return nil
}

// note takes an answer that says that the log is busy.
func (s *spare) note(response *http.Response) {
	said := response.Header.Get("Retry-After") != ""
	if response.StatusCode != http.StatusTooManyRequests && (response.StatusCode != http.StatusServiceUnavailable || !said) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since, s.wait = steady.Now(), min(max(retryAfter(response.Header), shortestSpare), longestSpare)
}
