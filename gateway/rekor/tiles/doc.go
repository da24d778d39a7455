// SPDX-License-Identifier: Apache-2.0

// Package tiles reads a log that is published as tiles (C2SP tlog-tiles, https://c2sp.org/tlog-tiles)
// and proves what it reads: Merkle proofs after RFC 6962, built from the tiles, that lead to
// the root of a signed checkpoint (C2SP tlog-checkpoint, https://c2sp.org/tlog-checkpoint).
//
// The tiles' host is not trusted for anything. Wrong tiles make an answer bad; only two
// checkpoints, both signed by the log, can make a fork.
//
// The package knows nothing of how entries are written, nor what is in them: an entry is
// bytes, and its leaf hash is RFC 6962 over those bytes.
package tiles
