// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"fmt"
	"strings"
)

// facadeTenant is whose the leaves of all facades are; no caller has a tenant of that name.
const facadeTenant = ":facade"

// Mirrors is the side of a Store where it is listed what is to be recorded once more, in a log of the gateway's own for clients of another API.
type Mirrors interface {
	// AddMirror has each entry of a log listed that becomes Logged from now on, in the transaction in which it does. Anchors of own logs
	// are not listed. It does nothing where that is so already.
	AddMirror(ctx context.Context, log string) error
	// Mirrored returns entries of the log that are listed, those with the lowest IDs: at most limit of them, and none after one with which their bodies
	// are maxBytes or more.
	Mirrored(ctx context.Context, log string, limit, maxBytes int) ([]MirroredEntry, error)
	// ForgetMirrored takes entries off the list of a log, by their IDs. Those that are not on it are passed over.
	ForgetMirrored(ctx context.Context, log string, ids []int64) error
}

// MirroredEntry is an entry that is Logged, and listed.
type MirroredEntry struct {
	ID   int64
	Kind string
	Body []byte // nil where it cannot be read back
}

// facadeLogs is what the IDs of own logs begin with that are for clients of another API.
const facadeLogs = "facade-"

// FacadeLogID returns the ID of the own log that is such a tree.
func FacadeLogID(tree int64) string { return fmt.Sprintf(facadeLogs+"%016x", tree) }

// IsFacadeLog reports whether a log with that ID is for clients of another API: it has no records that a receipt could have, and no verifier trusts
// its keys.
func IsFacadeLog(id string) bool { return strings.HasPrefix(id, facadeLogs) }

// FacadeTenant is whose the leaves of facades are.
func FacadeTenant() string { return facadeTenant }
