// SPDX-License-Identifier: Apache-2.0

package trustroot

import (
	"encoding/base64"
	"fmt"
	"strings"

	cosign "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// ParseWitnessKey reads a verifier key (https://c2sp.org/signed-note) of cosignatures: Ed25519 (type 4) or ML-DSA-44 (type 6), in its one
// canonical form. That of a log, which has another type, is refused.
func ParseWitnessKey(vkey string) (note.Verifier, error) {
	const parts, ed25519Cosignature, mldsaCosignature = 3, 4, 6
	split := strings.SplitN(vkey, "+", parts)
	raw, err := base64.StdEncoding.Strict().DecodeString(split[len(split)-1])
	if len(split) != parts || err != nil || len(raw) == 0 || raw[0] != ed25519Cosignature && raw[0] != mldsaCosignature {
		return nil, fmt.Errorf("%.80q is no verifier key of a witness: NAME+HASH+KEY, of type 4 or 6", vkey)
	}
	verifier, err := cosign.NewVerifierForCosignatureV1(vkey)
	if err != nil {
		return nil, fmt.Errorf("reading verifier key %.80q: %w", vkey, err)
	}
	if canonical := fmt.Sprintf("%s+%08x+%s", verifier.Name(), verifier.KeyHash(), base64.StdEncoding.EncodeToString(raw)); canonical != vkey {
		return nil, fmt.Errorf("the verifier key %.80q has another hash than it says, or is not in canonical form", vkey)
	}
	return verifier, nil
}
