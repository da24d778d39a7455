// SPDX-License-Identifier: Apache-2.0

// Package keyfile reads the public keys and X.509 certificates that people send beside a
// signature, in the containers that tools write, and says whether they may sign. A byte order mark, base64 around a
// file and private keys are formats/textlayer's business, before this package sees the file.
//
// A fault is said of what has it: a key that Go cannot verify with is refused as that, and never turns into
// a verdict on a signature.
package keyfile
