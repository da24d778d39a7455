// SPDX-License-Identifier: Apache-2.0

// Package receipt makes receipts and verifies them offline: no network, no database, no
// gateway. A receipt holds the original signature, what re-verifies it, and the entries that
// record it in transparency logs, as Sigstore bundles.
package receipt
