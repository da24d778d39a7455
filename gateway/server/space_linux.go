// SPDX-License-Identifier: Apache-2.0

package server

import (
	"math"
	"syscall"
)

// readSpace returns how much the process may map, in bytes, used or not: systemd's LimitDATA and LimitAS, or ulimit's -d and -v.
func readSpace() uint64 {
	least := uint64(math.MaxUint64)
	for _, resource := range []int{syscall.RLIMIT_DATA, syscall.RLIMIT_AS} {
		var limit syscall.Rlimit
		if syscall.Getrlimit(resource, &limit) == nil {
			least = min(least, limit.Cur)
		}
	}
	return least
}
