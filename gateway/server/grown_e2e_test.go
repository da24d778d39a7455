// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package server

// grownTo is the size of TestGrownLog's log.
const grownTo = 10_000_000
