// SPDX-License-Identifier: Apache-2.0

// Package auth says who sends a request: it finds the caller of a credential. What it knows of credentials are
// hashes. It refuses, and never says why one is not good, or what is there to be seen.
package auth
