// SPDX-License-Identifier: Apache-2.0

//go:build !race

package formatstest

// slowdown is how much longer things may take than they should.
const slowdown = 1
