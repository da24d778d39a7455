// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
)

// listed is an entry of a targets file for content.
func listed(content string) m {
	sum := sha256.Sum256([]byte(content))
	return m{"length": len(content), "hashes": m{"sha256": hex.EncodeToString(sum[:])}}
}

// delegatedVector is targets by a delegated role, whose delegation has those restrictions.
func delegatedVector(t *testing.T, files m, restriction m) formatstest.Vector {
	t.Helper()
	root, top, leaf := mintKey(t), mintKey(t), mintKey(t)
	return formatstest.Vector{
		Signature: signedBy(t, with(mintSigned("targets"), "targets", files), leaf),
		Keys: [][]byte{
			signedBy(t, mintRoot(t, root, 1, top), root),
			signedBy(t, delegate(mintSigned("targets"), restriction, leaf), top),
		},
		Artifact: []byte("content"), Policy: strict(),
	}
}

// patterns returns n patterns that none of sameTargets matches, which only their ends show.
func patterns(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("path/to/*a*a*x%d", i)
	}
	return list
}

func sameTargets(n int, name string) m {
	files := m{}
	for i := range n {
		files[fmt.Sprint("path/to/", strings.Repeat(name, 20), i)] = listed("content")
	}
	return files
}

// TestHonestWork: large metadata passes, for a part of the budget.
func TestHonestWork(t *testing.T) {
	files := m{}
	for i := range 25000 {
		files[fmt.Sprint("path/to/file-", i)] = listed(fmt.Sprint("another", i))
	}
	files["path/to/content"] = listed("content")
	v := delegatedVector(t, files, paths(append(patterns(10000), "path/*/content")...))
	w := formats.NewWork(formats.MaxWork / 2)
	p, err := New().Parse(formats.WithWork(t.Context(), w), v.Signature, v.Keys, v.Policy)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Verify(formats.WithWork(t.Context(), w), formats.FromReader(strings.NewReader("content"))); err != nil {
		t.Error(err)
	}
	t.Logf("%d and %d bytes: %d units", len(v.Signature), len(v.Keys[1]), w.Spent())
}

// TestHostileWork: what is made to take long does not, and stops.
func TestHostileWork(t *testing.T) {
	long := strings.Repeat("a", 50<<10)
	wide, nested := m{}, any([]any{})
	for i := range maxValues / 2 {
		wide[fmt.Sprint(i)] = 0
	}
	for i := range maxDepth - 10 {
		nested = []any{nested, strings.Repeat("x", 50<<10), i}
	}
	top, many := mintKey(t), manyKeys(t, maxSignatures)
	var roots [][]byte
	for i := range formats.MaxKeys {
		roots = append(roots, largeRoot(t, i+1, long, top, many))
	}
	for name, v := range map[string]formatstest.Vector{
		"targets and patterns":   delegatedVector(t, sameTargets(2000, "a"), paths(patterns(9000)...)),
		"targets and prefixes":   delegatedVector(t, sameTargets(2000, "a"), m{"path_hash_prefixes": patterns(9000)}),
		"long path and pattern":  delegatedVector(t, m{long: listed("content")}, paths("*"+long+"b")),
		"targets and many roles": manyRoles(t),
		"wide object":            {Signature: signedBy(t, with(mintSigned("targets"), "x", wide), top), Keys: roots[:1], Policy: strict()},
		"nested arrays":          {Signature: signedBy(t, with(mintSigned("targets"), "x", nested), top), Keys: roots[:1], Policy: strict()},
		"large key files":        {Signature: roots[0], Keys: roots, Policy: strict()},
	} {
		t.Run(name, func(t *testing.T) {
			size := len(v.Signature)
			for _, k := range v.Keys {
				size += len(k)
			}
			t.Log(size, "bytes")
			_ = formatstest.CheckHostile(t, New(), v)
		})
	}
}

// largeRoot is a version of a root that is signed by all it can be signed by.
func largeRoot(t *testing.T, version int, text string, top testKey, keys []testKey) []byte {
	t.Helper()
	root := with(with(mintRoot(t, keys[0], 1, top), "version", version), "x", text)
	all, ids := m{top.id: top.listed}, []string{}
	for _, k := range keys {
		all[k.id] = k.listed
		ids = append(ids, k.id)
	}
	roles := with(root["roles"].(m), "root", m{"keyids": ids, "threshold": 1})
	return signedBy(t, with(with(root, "roles", roles), "keys", all), keys...)
}

// manyRoles has a delegation to thousands of roles, all of which name all keys.
func manyRoles(t *testing.T) formatstest.Vector {
	t.Helper()
	root, top, keys := mintKey(t), mintKey(t), manyKeys(t, maxSignatures)
	all, ids := m{}, []string{}
	for _, k := range keys {
		all[k.id] = k.listed
		ids = append(ids, k.id)
	}
	var roles []any
	for i := range 1500 {
		roles = append(roles, m{"name": fmt.Sprint("role", i), "keyids": ids, "threshold": 32, "terminating": false, "paths": []string{"*"}})
	}
	delegator := with(mintSigned("targets"), "delegations", m{"keys": all, "roles": roles})
	return formatstest.Vector{
		Signature: signedBy(t, with(mintSigned("targets"), "targets", sameTargets(1, "a")), keys[:31]...), Artifact: []byte("content"), Policy: strict(),
		Keys: [][]byte{signedBy(t, mintRoot(t, root, 1, top), root), signedBy(t, delegator, top)},
	}
}
