// SPDX-License-Identifier: Apache-2.0

// Package keyfile reads the public keys and X.509 certificates that people send beside a
// signature, and says whether they may sign. It is strict about what surrounds a key:
// nothing may, and a private key is named as such before anything else is said of it.
package keyfile
