// SPDX-License-Identifier: Apache-2.0

package statement

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	intoto "github.com/in-toto/attestation/go/v1"
)

// TypeProbe is the predicate type of a statement that says nothing. A gateway logs one to see whether a log
// takes entries; a reader passes over it.
const TypeProbe = "https://rekor-gateway.dev/attestation/log-probe/v1"

// BuildProbe returns the statement that says nothing but its nonce, which makes it another one each time.
func BuildProbe(nonce string) ([]byte, error) {
	sum := sha256.Sum256([]byte(nonce))
	payload, err := json.Marshal(map[string]any{
		"_type":         intoto.StatementTypeUri,
		"subject":       []Subject{{Name: "probe", Digest: map[string]string{"sha256": hex.EncodeToString(sum[:])}}},
		"predicateType": TypeProbe,
		"predicate":     map[string]string{"nonce": nonce},
	})
	if err != nil {
		return nil, fmt.Errorf("building probe: %w", err)
	}
	return payload, nil
}
