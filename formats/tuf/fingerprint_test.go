// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

// TestFingerprint: the id that the specification computes is shown, in the older form too; of any other id nothing is.
func TestFingerprint(t *testing.T) {
	root, key := mintKey(t), mintKey(t)
	older := with(key.listed, "keyid_hash_algorithms", []string{"sha256", "sha512"})
	sum := sha256.Sum256(canonicalJSON(t, older))
	olderID := hex.EncodeToString(sum[:])
	for name, c := range map[string]struct{ id, want string }{
		"by the specification": {key.id, key.id}, "by older tools": {olderID, olderID},
		"of the submitter's choice": {"somebody@example.org", key.id}, "another hash": {strings.Repeat("0", 64), key.id},
	} {
		named := key.named(c.id)
		p, err := New().Parse(context.Background(), signedBy(t, mintSigned("targets"), named), [][]byte{signedBy(t, mintRoot(t, root, 1, named), root)}, strict())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		d := p.Describe()
		noted := slices.ContainsFunc(d.Notes, func(n string) bool { return strings.Contains(n, "not the hash of its key") })
		if got := d.Signers[0].Fingerprint; got != c.want || noted != (c.id != c.want) {
			t.Errorf("%s: fingerprint %s, want %s; notes %q", name, got, c.want, d.Notes)
		}
	}
}
