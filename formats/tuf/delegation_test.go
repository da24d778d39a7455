// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// listing is targets metadata that lists content at path.
func listing(path, content string) m {
	sum := sha256.Sum256([]byte(content))
	return with(mintSigned("targets"), "targets", m{path: m{"length": len(content), "hashes": m{"sha256": hex.EncodeToString(sum[:])}}})
}

// delegate is signed with a delegation to role, signed by keys; restriction is its paths or
// path_hash_prefixes.
func delegate(signed m, role m, keys ...testKey) m {
	listed, ids := m{}, []string{}
	for _, k := range keys {
		listed[k.id] = k.listed
		ids = append(ids, k.id)
	}
	full := m{"name": "role", "keyids": ids, "threshold": 1, "terminating": false}
	for name, v := range role {
		full[name] = v
	}
	return with(signed, "delegations", m{"keys": listed, "roles": []any{full}})
}

func paths(patterns ...string) m { return m{"paths": patterns} }

// TestDelegations: the chain from the root's targets role to the signers, and what each link asks for.
func TestDelegations(t *testing.T) {
	root, top, mid, leaf := mintKey(t), mintKey(t), mintKey(t), mintKey(t)
	rootFile := signedBy(t, mintRoot(t, root, 1, top), root)
	empty := mintSigned("targets")
	first := signedBy(t, delegate(empty, paths("a/*"), mid), top)
	second := signedBy(t, delegate(empty, paths("a/b"), leaf), mid)
	doc := signedBy(t, listing("a/b", "content"), leaf)
	two := delegate(empty, m{"paths": []string{"a/*"}, "threshold": 2}, leaf, mid)
	direct := func(role m) []byte { return signedBy(t, delegate(empty, role, leaf), top) }
	prefix := sha256.Sum256([]byte("a/b"))
	for name, c := range map[string]struct {
		keys [][]byte
		want formats.Reason
	}{
		"two levels":                   {[][]byte{rootFile, first, second}, ""},
		"root last":                    {[][]byte{first, second, rootFile}, ""},
		"wrong order":                  {[][]byte{rootFile, second, first}, formats.ReasonKeyNotValid},
		"a level missing":              {[][]byte{rootFile, second}, formats.ReasonKeyNotValid},
		"the last level missing":       {[][]byte{rootFile, first}, formats.ReasonKeyMismatch},
		"no delegator":                 {[][]byte{rootFile}, formats.ReasonKeyMismatch},
		"no root":                      {[][]byte{first, second}, formats.ReasonMissingKey},
		"hash prefix":                  {[][]byte{rootFile, direct(m{"path_hash_prefixes": []string{hex.EncodeToString(prefix[:2])}})}, ""},
		"other hash prefix":            {[][]byte{rootFile, direct(m{"path_hash_prefixes": []string{"zz"}})}, formats.ReasonNotAuthorized},
		"other path":                   {[][]byte{rootFile, direct(paths("b/*"))}, formats.ReasonNotAuthorized},
		"pattern does not cross a /":   {[][]byte{rootFile, direct(paths("*"))}, formats.ReasonNotAuthorized},
		"threshold of the delegation":  {[][]byte{rootFile, signedBy(t, two, top)}, formats.ReasonThresholdNotMet},
		"delegator delegates nothing":  {[][]byte{rootFile, signedBy(t, empty, top)}, formats.ReasonNotAuthorized},
		"delegator signed by stranger": {[][]byte{rootFile, signedBy(t, delegate(empty, paths("a/*"), leaf), leaf)}, formats.ReasonKeyNotValid},
		"paths and prefixes":           {[][]byte{rootFile, direct(m{"paths": []string{"a/*"}, "path_hash_prefixes": []string{"00"}})}, formats.ReasonMalformedKey},
		"neither paths nor prefixes":   {[][]byte{rootFile, direct(m{})}, formats.ReasonMalformedKey},
		"paths of another type":        {[][]byte{rootFile, direct(m{"paths": []int{1}})}, formats.ReasonMalformedKey},
		"nameless":                     {[][]byte{rootFile, direct(m{"paths": []string{"a/*"}, "name": nil})}, formats.ReasonMalformedKey},
		"threshold 0":                  {[][]byte{rootFile, direct(m{"paths": []string{"a/*"}, "threshold": 0})}, formats.ReasonMalformedKey},
	} {
		if _, err := verifyTarget(t, doc, c.keys, "content", strict()); formats.ReasonOf(err) != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func verifyTarget(t *testing.T, doc []byte, keys [][]byte, content string, policy formats.Policy) (*formats.Verified, error) {
	p, err := New().Parse(context.Background(), doc, keys, policy)
	if err != nil {
		return nil, err
	}
	return p.Verify(t.Context(), formats.FromReader(bytes.NewReader([]byte(content))))
}

// TestDelegationDetails: forms of delegations that the helper does not make.
func TestDelegationDetails(t *testing.T) {
	root, top, leaf := mintKey(t), mintKey(t), mintKey(t)
	rootFile := signedBy(t, mintRoot(t, root, 1, top), root)
	doc := signedBy(t, listing("a/b", "content"), leaf)
	one := delegate(mintSigned("targets"), paths("a/*"), leaf)["delegations"].(m)
	role := one["roles"].([]any)[0].(m)
	stranger := mintKey(t)
	other := with(with(role, "name", "other"), "keyids", []string{stranger.id})
	both := with(one["keys"].(m), stranger.id, stranger.listed)
	for name, c := range map[string]struct {
		delegations any
		want        formats.Reason
	}{
		"second of two roles":  {m{"keys": both, "roles": []any{other, role}}, ""},
		"a role twice":         {m{"keys": one["keys"], "roles": []any{role, role}}, formats.ReasonMalformedKey},
		"succinct":             {m{"keys": one["keys"], "succinct_roles": m{"bit_length": 4}}, formats.ReasonUnsupportedFeature},
		"roles of no type":     {m{"keys": one["keys"], "roles": m{}}, formats.ReasonMalformedKey},
		"role of no type":      {m{"keys": one["keys"], "roles": []any{1}}, formats.ReasonMalformedKey},
		"keys missing":         {m{"roles": []any{role}}, formats.ReasonMalformedKey},
		"keys of no type":      {m{"keys": m{leaf.id: 1}, "roles": []any{}}, formats.ReasonMalformedKey},
		"not an object":        {1, formats.ReasonMalformedKey},
		"roles in other case":  {m{"keys": one["keys"], "Roles": []any{role}}, formats.ReasonMalformedKey},
		"no roles":             {m{"keys": one["keys"]}, formats.ReasonNotAuthorized},
		"a key id with spaces": {m{"keys": m{"a b": leaf.listed}, "roles": []any{}}, formats.ReasonMalformedKey},
	} {
		delegator := signedBy(t, with(mintSigned("targets"), "delegations", c.delegations), top)
		if _, err := verifyTarget(t, doc, [][]byte{rootFile, delegator}, "content", strict()); formats.ReasonOf(err) != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// TestExpiredDelegator: a delegator counts like the metadata itself.
func TestExpiredDelegator(t *testing.T) {
	root, top, leaf := mintKey(t), mintKey(t), mintKey(t)
	delegator := with(delegate(mintSigned("targets"), paths("*"), leaf), "expires", "2020-01-01T00:00:00Z")
	keys := [][]byte{signedBy(t, mintRoot(t, root, 1, top), root), signedBy(t, delegator, top)}
	doc := signedBy(t, listing("a", "content"), leaf)
	if _, err := verifyTarget(t, doc, keys, "content", strict()); formats.ReasonOf(err) != formats.ReasonMetadataExpired {
		t.Errorf("strict: %v", err)
	}
	v, err := verifyTarget(t, doc, keys, "content", historical())
	if err != nil || len(v.Projections) != 0 {
		t.Errorf("historical: %v", err)
	}
}

// TestTargetForms: which listed targets an artifact can be.
func TestTargetForms(t *testing.T) {
	root, top := mintKey(t), mintKey(t)
	keys := [][]byte{signedBy(t, mintRoot(t, root, 1, top), root)}
	good := listing("a", "content")["targets"].(m)["a"].(m)
	hashes := func(v any) m { return with(good, "hashes", v) }
	sha := good["hashes"].(m)["sha256"]
	for name, c := range map[string]struct {
		target any
		want   formats.Reason
	}{
		"listed":                    {good, ""},
		"with custom":               {with(good, "custom", m{"Length": 1}), ""},
		"longer":                    {with(good, "length", 8), formats.ReasonArtifactMismatch},
		"no hash":                   {hashes(m{}), formats.ReasonArtifactMismatch},
		"unknown hash beside":       {hashes(m{"sha256": sha, "md5": "00"}), formats.ReasonArtifactMismatch},
		"second hash does not fit":  {hashes(m{"sha256": sha, "sha384": hex.EncodeToString(make([]byte, 48))}), formats.ReasonArtifactMismatch},
		"hash of the wrong length":  {hashes(m{"sha256": "00"}), formats.ReasonMalformedSignature},
		"hash of no type":           {hashes(m{"sha256": 1}), formats.ReasonMalformedSignature},
		"negative length":           {with(good, "length", -1), formats.ReasonMalformedSignature},
		"length as text":            {with(good, "length", "7"), formats.ReasonMalformedSignature},
		"hashes in other letters":   {with(good, "Hashes", m{}), formats.ReasonMalformedSignature},
		"no object":                 {"a", formats.ReasonMalformedSignature},
		"hashes missing altogether": {hashes(nil), formats.ReasonMalformedSignature},
	} {
		doc := signedBy(t, with(mintSigned("targets"), "targets", m{"a": c.target}), top)
		if _, err := verifyTarget(t, doc, keys, "content", strict()); formats.ReasonOf(err) != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}
