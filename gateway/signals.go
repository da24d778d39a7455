// SPDX-License-Identifier: Apache-2.0

package gateway

import "context"

// Signals is a side that a Store may have which several processes share: the shortcut by which they learn what another one
// has changed. What is told may be lost, so that whoever waits also looks for himself now and then. Methods are safe for
// concurrent use.
type Signals interface {
	// Tell has the other processes told of s soon. It does not wait for that.
	Tell(s Signal)

	// Hear calls f, once at a time, with what the others tell, until ctx ends. f must not block. It is called with Missed
	// at the start, and after each time in which nothing could be heard.
	Hear(ctx context.Context, f func(s Signal))
}

// Signal is what a process tells the others of what it has changed in the store.
type Signal struct {
	Logs    []string // IDs of logs for which there is something to send
	Changed []string // IDs of submissions that have changed
	// Missed: more than that may have changed.
	Missed bool
}
