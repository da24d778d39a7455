// SPDX-License-Identifier: Apache-2.0

package gateway

import "time"

// Estimate is when a submission will be logged.
type Estimate struct {
	At time.Time // zero: there is no estimate
	// Delays are why there is none, where that is known.
	Delays []Delay
}

// Delay is a log that a submission waits for, and that cannot be used now.
type Delay struct {
	Log     string
	Problem string
}
