// SPDX-License-Identifier: Apache-2.0

// Package tiletree is the Merkle tree of a log of the gateway's own (RFC 6962), whose hashes are kept and served as
// tiles (https://c2sp.org/tlog-tiles). It knows no database and no transport: whoever keeps the tiles hands in what reads them,
// and stores what an append returns in the transaction that stores the records.
package tiletree
