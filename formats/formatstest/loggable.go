// SPDX-License-Identifier: Apache-2.0

package formatstest

import (
	"crypto/x509"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// TakenByRekor reports whether Rekor v2 takes c. It is written down here once more, apart from the gateway's own
// table, so that the plugins' tests do not depend on that.
func TakenByRekor(c formats.Candidate) bool {
	key, err := x509.ParsePKIXPublicKey(c.SPKI)
	if err != nil {
		return false
	}
	switch formats.KeyName(key) {
	case "RSA-2048", "RSA-3072", "RSA-4096":
		return c.Scheme == formats.RSAPKCS1v15 && c.Hash == formats.SHA256
	case "ECDSA P-256":
		return c.Scheme == formats.ECDSA && c.Hash == formats.SHA256
	case "ECDSA P-384":
		return c.Scheme == formats.ECDSA && c.Hash == formats.SHA384
	case "ECDSA P-521":
		return c.Scheme == formats.ECDSA && c.Hash == formats.SHA512
	case "Ed25519":
		return c.Scheme == formats.Ed25519ph && c.Hash == formats.SHA512
	}
	return false
}
