// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package sqlite

// machineBoot returns no clock: this system does not name its boots.
func machineBoot() bootClock { return bootClock{} }
