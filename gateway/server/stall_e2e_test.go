// SPDX-License-Identifier: Apache-2.0

//go:build e2e && unix

package server

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// TestStalledLogForLong is TestStalledLog with the worker's defaults, and a stall in which every one of 1,000 entries,
// or of $REKOR_GATEWAY_STALLED, is given up twice.
func TestStalledLogForLong(t *testing.T) {
	entries := 1000
	if asked := os.Getenv("REKOR_GATEWAY_STALLED"); asked != "" {
		var err error
		if entries, err = strconv.Atoi(asked); err != nil {
			t.Fatal(err)
		}
	}
	testStalledLog(t, stall{entries: entries, hold: 150 * time.Second, addTimeout: time.Minute, delay: 5 * time.Second, late: 15})
}
