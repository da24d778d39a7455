// SPDX-License-Identifier: Apache-2.0

package gateway

import "time"

// Priority is how urgent a submission is. The zero value is that of live callers.
type Priority int

// The priorities; the higher one is claimed first.
const (
	// Backfill waits while anything Interactive does, until it is BackfillAge old.
	Backfill Priority = -1
	// Interactive is what somebody waits for.
	Interactive Priority = 0
)

// What keeps backfill from starving: an entry that has waited for BackfillAge competes with those that are
// Interactive. One of BackfillShare entries that a log is sent is then of these.
const (
	BackfillAge   = 10 * time.Minute
	BackfillShare = 4
)

// priorityNames are the priorities as callers write them.
var priorityNames = map[Priority]string{Interactive: "interactive", Backfill: "backfill"}

// String returns the name that callers use: interactive or backfill.
func (p Priority) String() string { return priorityNames[p] }

// Valid reports whether p is one of the priorities.
func (p Priority) Valid() bool { return priorityNames[p] != "" }

// ParsePriority returns the priority of that name; "" is Interactive.
func ParsePriority(name string) (p Priority, ok bool) {
	if name == "" {
		return Interactive, true
	}
	for p, n := range priorityNames {
		if n == name {
			return p, true
		}
	}
	return 0, false
}
