// SPDX-License-Identifier: Apache-2.0

// Package delivery sends stored entries to their logs: it claims them under leases, sends them, and
// stores the outcomes. An entry in doubt, after a crash or a lost answer, is looked for in the log
// before it is sent again. Waiters wake those who wait for an outcome.
package delivery
