// SPDX-License-Identifier: Apache-2.0

//go:build killpoints

package server

import (
	"os"
	"sync"
	"time"
)

// clockOffset names how far the clock of this process is wrong, such as "-30s": in this build alone.
const clockOffset = "REKOR_GATEWAY_CLOCK_OFFSET"

var readOffset = sync.OnceValue(func() time.Duration {
	d, err := time.ParseDuration(os.Getenv(clockOffset))
	if err != nil {
		return 0
	}
	return d
})

// wallClock is the machine's clock, less right than that. What is measured stays right.
func wallClock() time.Time { return time.Now().Add(readOffset()) }
