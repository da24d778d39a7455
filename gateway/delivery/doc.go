// SPDX-License-Identifier: Apache-2.0

// Package delivery takes stored entries to their logs: it claims them under leases, sends them,
// checks what the log answers, and stores the outcomes; what is in doubt after a crash or a lost
// answer it looks for in the log before it sends it again. Waiters learn of the outcomes here.
package delivery
