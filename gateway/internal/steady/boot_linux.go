// SPDX-License-Identifier: Apache-2.0

package steady

import (
	"time"

	"golang.org/x/sys/unix"
)

// sinceBoot goes on while the machine sleeps.
func sinceBoot() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
