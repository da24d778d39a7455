// SPDX-License-Identifier: Apache-2.0

package run

import (
	"math"
	"os"
	"runtime/debug"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/keyfile"
)

const (
	// collectAt is how much garbage is collected, in percent of what is in use, ballast included.
	collectAt = 80

	// rememberedChecks are more than the signatures that a run has verified and whose receipts it has not, some of which are checked in two
	// ways: at most 21 MiB.
	rememberedChecks = 3 * (maxWaiting + 2*MaxParallel) / 2

	// rememberedFiles are more than the key files of most runs: at most 1 MiB as they are written.
	rememberedFiles = 64

	// ballastSize, in bytes, makes some 50 MiB of garbage the least that is collected. A run holds few megabytes and makes as many in a
	// hundred signatures; by default they would be collected each time.
	ballastSize = 64 << 20
	// sendingBallast is added once something is sent, since thousands of signatures then wait for their receipts, and parallelBallast for each of --parallel:
	// what is under way has a stack that is looked through with each collection.
	sendingBallast  = 64 << 20
	parallelBallast = 16 << 10
)

// ballast is counted by the garbage collector as if it were in use, so that it waits for as much garbage. It is never written
// to, so that it takes no memory.
var ballast [2][]byte

// prepareProcess has this process compute each signature once, read each key file once, and collect less garbage.
func prepareProcess() {
	collectLess()
	_ = formats.RememberChecks(rememberedChecks) // fails for a memory of nothing, as the next does
	_ = keyfile.RememberFiles(rememberedFiles)
}

// collectLess has the garbage collector of a long run work less, while the process is small. GOGC in the environment has precedence.
func collectLess() {
	if os.Getenv("GOGC") == "" && ballast[0] == nil {
		ballast[0] = make([]byte, ballastSize)
		debug.SetGCPercent(collectAt)
		if limit := debug.SetMemoryLimit(-1); limit <= math.MaxInt64-ballastSize { // GOMEMLIMIT is meant for what takes memory
			debug.SetMemoryLimit(limit + ballastSize)
		}
	}
}

// collectLessSending has it work still less in a run that sends much at once, unless the environment says how much memory there is.
func collectLessSending(parallel int) {
	if ballast[0] != nil && ballast[1] == nil && os.Getenv("GOMEMLIMIT") == "" {
		ballast[1] = make([]byte, sendingBallast+parallel*parallelBallast)
	}
}
