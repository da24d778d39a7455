// SPDX-License-Identifier: Apache-2.0

package server

import (
	"math"
	"os"
	"runtime/debug"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/keyfile"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

const (
	// ownMemory is what a gateway takes beside its requests, in bytes: the store's caches, entries under way to the logs,
	// and what the garbage collector needs to go on.
	ownMemory = 64 << 20

	// collectAt is how much garbage is collected, in percent of what is in use, stacks and ballast included. It is far less than
	// by default: where thousands of calls wait, what they hold counts and not what they have left.
	collectAt = 20

	// ballastSize, in bytes, makes some 35 MiB of garbage the least that is collected. A gateway holds few megabytes as a rule and
	// makes as many in a few dozen submissions; by default they would be collected each time.
	ballastSize = 176 << 20

	// ballastSpace, in bytes, is how much a process must be allowed to map to have a ballast.
	ballastSpace = 1 << 30

	// rememberedFiles are key files whose signers are at work at the same time: one signer has many signatures. Whoever may send them can have each take some
	// 300 KiB as it was read, which is a third of ownMemory.
	rememberedFiles = 64
	// rememberedChecks are what was found good lately: key files without a private key, signatures that are sent again. Less than 1 MiB.
	rememberedChecks = 4096
)

// PrepareProcess has this process do what is best for a gateway: LimitMemory, and reading once what many submissions have, such as a signer's key. It is for the
// program that runs the one gateway of its process.
func PrepareProcess(c config.Limits) {
	LimitMemory(c)
	_ = keyfile.RememberFiles(rememberedFiles)   // fails for a memory of nothing,
	_ = formats.RememberChecks(rememberedChecks) // as this does
}

// ballast is counted by the garbage collector as if it were in use, so that it waits for as much garbage. It is never written
// to, so that it takes no memory.
var ballast []byte

// LimitMemory tells the garbage collector to work harder rather than let the process grow beyond what c allows: by default it
// would let it grow to twice what requests hold. Far below that it works less. GOMEMLIMIT and GOGC in the environment
// have precedence.
func LimitMemory(c config.Limits) {
	if os.Getenv("GOGC") == "" && ballast == nil && readSpace() >= ballastSpace {
		ballast = make([]byte, ballastSize)
		debug.SetGCPercent(collectAt)
		raiseLimit(ballastSize)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(c.MaxRequestMemory) + ownMemory + int64(len(ballast)))
	}
}

// raiseLimit has the limit of GOMEMLIMIT be of what takes memory: the ballast counts against it, and would leave nothing of a limit that is as
// small, so that the collector never rests.
func raiseLimit(ballast int64) {
	if limit := debug.SetMemoryLimit(-1); limit <= math.MaxInt64-ballast {
		debug.SetMemoryLimit(limit + ballast)
	}
}
