// SPDX-License-Identifier: Apache-2.0

package formatstest

import "time"

// stopwatch measures what something takes: the time that passes or the processors' time of this process, whichever is less.
// The first grows where others use the machine, the second with whatever else this process does.
type stopwatch struct {
	began time.Time
	cpu   time.Duration
}

func startStopwatch() stopwatch { return stopwatch{time.Now(), processTime()} }

// read returns what it took until now.
func (s stopwatch) read() time.Duration { return min(time.Since(s.began), processTime()-s.cpu) }
