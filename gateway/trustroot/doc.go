// SPDX-License-Identifier: Apache-2.0

// Package trustroot reads and writes the two files that say whom a verifier trusts: the
// Sigstore trusted root, with the keys of transparency logs, and the gateway trust file,
// with the keys a gateway signs statements with.
package trustroot
