// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// describe returns what is known of metadata that is good.
func describe(t testing.TB, doc []byte, p formats.Policy, keys ...[]byte) formats.Description {
	t.Helper()
	parsed, err := New().Parse(t.Context(), doc, keys, p)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Describe()
}

// TestWhole: what Rekor v1 records is the metadata and the root by which it is verified at first, in canonical JSON, without members that it does not keep.
func TestWhole(t *testing.T) {
	for doc, keys := range map[string][]string{
		"snapshot.json": {"root-1.json"}, "targets-mixed.json": {"root-3.json", "root-2.json"}, "root-1.json": {"root-1.json"}, "root-2.json": {"root-1.json"},
		"root-3.json": {"root-3.json", "root-2.json"},
	} {
		d := describe(t, read(t, doc), strict(), readAll(t, keys...)...)
		if d.Whole == nil || d.NotWhole != nil {
			t.Errorf("%s: %v", doc, d.NotWhole)
			continue
		}
		root := map[string]string{"targets-mixed.json": "root-3.json", "root-3.json": "root-2.json"}[doc]
		if root == "" {
			root = "root-1.json"
		}
		if !sameJSON(t, d.Whole.Signature, read(t, doc)) || !sameJSON(t, d.Whole.Key, read(t, root)) || d.Whole.Format != "tuf" || !d.Whole.Embedded || d.Whole.SpecVersion == "" {
			t.Errorf("%s: %s", doc, d.Whole.Signature)
		}
	}
	k := mintKey(t)
	root := signedBy(t, mintRoot(t, k, 1, k), k)
	signed := mintSigned("targets")
	plain := signedBy(t, signed, k)
	more := bytes.Replace(plain, []byte(`{"signatures":[{`), []byte("{ \"x\": 1,\n\"signatures\":[{\"method\":\"y\","), 1)
	if a, b := describe(t, plain, strict(), root).Whole, describe(t, more, strict(), root).Whole; a == nil || b == nil || !bytes.Equal(a.Signature, b.Signature) {
		t.Errorf("%+v and %+v", a, b)
	}
}

func sameJSON(t testing.TB, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(encode(t, x), encode(t, y))
}

// TestNotWhole: what Rekor v1 would not take has its reason.
func TestNotWhole(t *testing.T) {
	k := mintKey(t)
	large, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384 := listKey(t, large, "ecdsa", "ecdsa-sha2-nistp384")
	with := func(o m, name string, value any) m {
		o = maps.Clone(o)
		o[name] = value
		return o
	}
	root, targets := mintRoot(t, k, 1, k), mintSigned("targets")
	another := func(key any) m { return with(root, "keys", m{k.id: k.listed, "another": key}) }
	long := strings.Repeat("x", maxWhole/2)
	for name, c := range map[string]struct {
		root, targets m
		by            testKey
		says          string
	}{
		"P-384":           {mintRoot(t, k, 1, p384), targets, p384, `threshold of the role "targets"`},
		"root by P-384":   {mintRoot(t, p384, 1, k), targets, k, `threshold of the role "root"`},
		"a kind of key":   {another(m{"keytype": "ecdsa-sha2-nistp384", "scheme": "ecdsa-sha2-nistp384", "keyval": p384.listed["keyval"]}), targets, k, "a key of a kind that Rekor v1 does not know"},
		"a broken key":    {another(m{"keytype": "ed25519", "scheme": "ed25519", "keyval": m{"public": "00"}}), targets, k, "a key of a kind that Rekor v1 does not know"},
		"hash algorithms": {another(with(k.listed, "keyid_hash_algorithms", "sha256")), targets, k, "members of a kind"},
		"another role":    {with(root, "roles", with(root["roles"].(m), "mirrors", m{"keyids": []string{}, "threshold": 0})), targets, k, "members of a kind"},
		"a large number":  {root, with(targets, "x", int64(1)<<53+1), k, "a number that is too large"},
		"in the root":     {with(root, "x", int64(1)<<53+1), targets, k, "a number that is too large"},
		"too large":       {root, with(targets, "x", long+long), k, "larger than the 64 KiB"},
		"both together":   {with(root, "x", long), with(targets, "x", long), k, "larger than the 64 KiB"},
	} {
		signers := []testKey{k}
		if name == "root by P-384" {
			signers[0] = p384
		}
		d := describe(t, signedBy(t, c.targets, c.by), strict(), signedBy(t, c.root, signers...))
		if d.Whole != nil || d.NotWhole == nil || !strings.Contains(d.NotWhole.Message, c.says) || d.NotWhole.Hint == "" {
			t.Errorf("%s: %v", name, d.NotWhole)
		}
	}
	if d := describe(t, read(t, "releases.json"), strict(), readAll(t, "root-1.json", "delegating.json")...); d.Whole != nil || !strings.Contains(d.NotWhole.Message, "delegated") {
		t.Errorf("a delegated role: %v", d.NotWhole)
	}
}

// TestExpiredWhole: what was recorded before it expired still has its form, and is not offered any more. A root may follow from one that has expired.
func TestExpiredWhole(t *testing.T) {
	k := mintKey(t)
	first := mintRoot(t, k, 1, k)
	second := maps.Clone(first)
	first["expires"], second["version"] = "2026-01-01T00:00:00Z", 2
	d := describe(t, signedBy(t, second, k), strict(), signedBy(t, first, k))
	if d.Whole == nil || d.NotWhole == nil || !strings.Contains(d.NotWhole.Message, "expired") || len(d.Findings) > 0 {
		t.Errorf("%v, %v", d.Whole != nil, d.NotWhole)
	}
	if d := describe(t, read(t, "targets-expired.json"), historical(), read(t, "root-1.json")); d.NotWhole == nil {
		t.Error("expired metadata is offered")
	}
}
