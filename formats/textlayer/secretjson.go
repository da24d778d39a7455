// SPDX-License-Identifier: Apache-2.0

package textlayer

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// maxJSON bounds what is decoded to look for private keys in it: sets of keys are far smaller. Larger
// documents are metadata, whose own format looks through them.
const maxJSON = 64 << 10

func findJSON(data []byte) (Secret, bool) {
	text := bytes.TrimLeft(data, blanks)
	if len(text) > maxJSON || len(text) == 0 || text[0] != '{' && text[0] != '[' {
		return Secret{}, false
	}
	var v any
	if json.NewDecoder(bytes.NewReader(text)).Decode(&v) != nil || !HoldsSecret(v) {
		return Secret{}, false
	}
	return Secret{"a private key in JSON", "the same file without the private members (in a JWK: d, p, q, dp, dq, qi, k)"}, true
}

// maxJSONs bounds the lines of a text at which JSON is looked for: each may be decoded to the text's end.
const maxJSONs = 16

// findJSONBehind finds private keys in JSON that begins on a line of its own behind other text, such as a public key.
func findJSONBehind(data []byte) (Secret, bool) {
	if len(data) > maxJSON {
		return Secret{}, false
	}
	for left := maxJSONs; left > 0; {
		_, rest, found := bytes.Cut(data, []byte("\n"))
		if !found {
			break
		}
		data = rest
		if text := bytes.TrimLeft(data, " \t"); len(text) == 0 || text[0] != '{' && text[0] != '[' {
			continue
		}
		left--
		if s, ok := findJSON(data); ok {
			return s, true
		}
	}
	return Secret{}, false
}

// HoldsSecret reports whether a decoded JSON value holds private key material anywhere: a JWK's, that of TUF's
// tools, PEM as it is or in base64, or a key that go-tuf encrypted before its version 2.
func HoldsSecret(v any) bool {
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, HoldsSecret)
	case string:
		_, ok := findPEM([]byte(v))
		if inner, encoded := DecodeBase64([]byte(v)); !ok && encoded { // as in a Kubernetes Secret
			_, ok = findPEM(inner)
		}
		return ok
	case map[string]any:
		if isSecretObject(v) {
			return true
		}
		for _, e := range v {
			if HoldsSecret(e) {
				return true
			}
		}
	}
	return false
}

func isSecretObject(v map[string]any) bool {
	if data, _ := v["data"].(map[string]any); v["encrypted"] == true && data["ciphertext"] != nil {
		return true
	}
	if _, jwk := v["kty"].(string); jwk && (v["d"] != nil || v["k"] != nil) {
		return true
	}
	value, _ := v["keyval"].(map[string]any)
	for name, member := range value {
		if strings.EqualFold(name, "private") && member != nil && member != "" {
			return true
		}
	}
	return false
}
