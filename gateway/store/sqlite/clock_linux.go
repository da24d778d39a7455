// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// machineBoot returns the clock of this machine's boot, which goes on while the machine sleeps.
func machineBoot() bootClock {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return bootClock{}
	}
	var first unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &first); err != nil {
		return bootClock{}
	}
	return bootClock{id: strings.TrimSpace(string(id)), elapsed: func() time.Duration {
		var t unix.Timespec
		_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) // it worked before
		return time.Duration(t.Nano())
	}}
}
