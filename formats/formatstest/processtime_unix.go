// SPDX-License-Identifier: Apache-2.0

//go:build unix

package formatstest

import (
	"syscall"
	"time"
)

// processTime returns the processors' time that this process has used.
func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
