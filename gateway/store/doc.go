// SPDX-License-Identifier: Apache-2.0

// Package store holds what the stores of the folders below have in common: page tokens, the checks
// of what comes in, and the binary form of what stands in columns. It knows no database.
package store
