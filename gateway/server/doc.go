// SPDX-License-Identifier: Apache-2.0

// Package server is the composition root: it makes a gateway of a configuration, runs it, and
// takes it down without losing what was accepted.
package server
