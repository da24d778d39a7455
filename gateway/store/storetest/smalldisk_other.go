// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package storetest

import "testing"

// MountSmall skips the test: only Linux has what it takes.
func MountSmall(t testing.TB, _ int64) string {
	t.Helper()
	t.Skip("only Linux mounts file systems in memory")
	return ""
}
