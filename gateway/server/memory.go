// SPDX-License-Identifier: Apache-2.0

package server

import (
	"os"
	"runtime/debug"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// ownMemory is what a gateway takes beside its requests, in bytes: the store's caches, entries under way to the logs,
// and what the garbage collector needs to go on.
const ownMemory = 64 << 20

// LimitMemory tells the garbage collector to work harder rather than let the process grow: by default it would let
// it grow to twice what requests hold. GOMEMLIMIT in the environment has precedence. It is for the program
// that runs the one gateway of its process.
func LimitMemory(c config.Limits) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(c.MaxRequestMemory) + ownMemory)
	}
}
