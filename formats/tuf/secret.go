// SPDX-License-Identifier: Apache-2.0

package tuf

import "github.com/rekor-gateway/rekor-gateway/formats"

const privatePEM = "PRIVATE KEY-----"

func errSecretKey() error {
	return formats.NewError(formats.ReasonSecretKey, "the file holds a private key",
		"send the root metadata, which holds public keys alone; treat the key as exposed and rotate it")
}
