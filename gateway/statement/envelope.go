// SPDX-License-Identifier: Apache-2.0

package statement

import (
	"crypto/sha256"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// PayloadType is that of a statement in a DSSE envelope.
const PayloadType = "application/vnd.in-toto+json"

// Digest returns what a gateway signs and logs: SHA-256 of the DSSE pre-authentication
// encoding of a statement.
func Digest(statement []byte) [sha256.Size]byte {
	return sha256.Sum256(dsse.PAE(PayloadType, statement))
}
