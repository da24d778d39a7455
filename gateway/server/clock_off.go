// SPDX-License-Identifier: Apache-2.0

//go:build !killpoints

package server

import "time"

// wallClock is the machine's clock.
func wallClock() time.Time { return time.Now() }
