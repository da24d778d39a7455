// SPDX-License-Identifier: Apache-2.0

package server

import (
	"sync/atomic"

	"golang.org/x/time/rate"
)

// Of what is recorded now and then, so many a second are, after a burst; the others are counted in the next record.
const sampledPerSecond, sampledBurst = 1, 20

// sample is of events of which not each is recorded, since others cause them as often as they like. It is safe for concurrent use.
type sample struct {
	records    *rate.Limiter
	unrecorded atomic.Int64
}

func newSample() *sample { return &sample{records: rate.NewLimiter(sampledPerSecond, sampledBurst)} }

// takeSample counts an event, and returns how many its record is to tell of; 0: there is no record.
func (s *sample) takeSample() (count int) {
	s.unrecorded.Add(1)
	if !s.records.Allow() {
		return 0
	}
	return int(s.unrecorded.Swap(0))
}
