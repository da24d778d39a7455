// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"slices"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// holdsSecrets looks for private key material anywhere in a decoded file: in the member that
// TUF tools keep it in, as PEM, or encrypted by go-tuf before version 2.
func holdsSecrets(v any) bool {
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, holdsSecrets)
	case map[string]any:
		if value, ok := v["keyval"].(map[string]any); ok && holdsSecret(value) || v["encrypted"] == true && v["data"] != nil {
			return true
		}
		for _, e := range v {
			if holdsSecrets(e) {
				return true
			}
		}
	}
	return false
}

func holdsSecret(keyval map[string]any) bool {
	public, _ := keyval["public"].(string)
	for name, v := range keyval {
		if strings.EqualFold(name, "private") && v != nil && v != "" {
			return true
		}
	}
	return strings.Contains(public, privatePEM)
}

const privatePEM = "PRIVATE KEY-----"

func errSecretKey() error {
	return formats.NewError(formats.ReasonSecretKey, "the file holds a private key",
		"send the root metadata, which holds public keys alone; treat the key as exposed and rotate it")
}
