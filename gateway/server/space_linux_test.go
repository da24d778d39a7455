// SPDX-License-Identifier: Apache-2.0

package server

import (
	"runtime/debug"
	"syscall"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// TestNoBallastWithoutSpace: where memory counts once it is mapped, a gateway does not die of memory that it never uses.
func TestNoBallastWithoutSpace(t *testing.T) {
	unlimitAfter(t)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_DATA, &before); err != nil {
		t.Fatal(err)
	}
	small := syscall.Rlimit{Cur: ballastSpace - 1, Max: before.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_DATA, &small); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_DATA, &before); err != nil {
			t.Error(err)
		}
	})
	const requests = 1 << 30
	LimitMemory(config.Limits{MaxRequestMemory: requests})
	if ballast != nil {
		t.Error("there is a ballast")
	}
	if got := debug.SetMemoryLimit(-1); got != requests+ownMemory {
		t.Errorf("limited to %d bytes", got)
	}
}
