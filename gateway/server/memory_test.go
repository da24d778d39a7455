// SPDX-License-Identifier: Apache-2.0

package server

import (
	"math"
	"runtime"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// TestLimitMemory: little garbage is left alone, and what waits for that takes nothing of the limit for requests.
func TestLimitMemory(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	t.Cleanup(func() {
		ballast = nil
		debug.SetGCPercent(100)
		debug.SetMemoryLimit(math.MaxInt64)
	})
	const requests = 1 << 30
	LimitMemory(config.Limits{MaxRequestMemory: requests})
	LimitMemory(config.Limits{MaxRequestMemory: requests}) // the second time changes nothing
	runtime.GC()
	const least = ballastSize + ballastSize*collectAt/100
	if goal := readGoal(); goal < least || goal > least+64<<20 {
		t.Errorf("collected at %d bytes, want little more than %d: the ballast and the garbage that it allows", goal, least)
	}
	if got, want := debug.SetMemoryLimit(-1), int64(requests+ownMemory+ballastSize); got != want {
		t.Errorf("limited to %d bytes, want %d", got, want)
	}
}

// TestLimitMemoryByEnvironment: what the operator says has precedence.
func TestLimitMemoryByEnvironment(t *testing.T) {
	t.Setenv("GOGC", "50")
	t.Setenv("GOMEMLIMIT", "1GiB")
	before := debug.SetMemoryLimit(-1)
	LimitMemory(config.Limits{MaxRequestMemory: 1 << 20})
	if ballast != nil || debug.SetMemoryLimit(-1) != before {
		t.Errorf("ballast of %d bytes, limit %d, want neither", len(ballast), debug.SetMemoryLimit(-1))
	}
}

// readGoal returns the heap's size, in bytes, at which it is collected next.
func readGoal() int64 {
	sample := []runtimemetrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	runtimemetrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}
