// SPDX-License-Identifier: Apache-2.0

//go:build race

package formatstest

// slowdown is how much longer things may take under the race detector.
const slowdown = 20
