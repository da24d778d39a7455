// SPDX-License-Identifier: Apache-2.0

// Package store holds what the stores of the folders below have in common: page tokens and
// the encoding of a submission's fields in columns. It knows no database.
package store
