// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// refusal is metadata that must be refused, though it is signed.
type refusal struct {
	name      string
	doc       []byte
	keys      [][]byte
	want      formats.Reason
	tolerated bool // go-tuf accepts it
}

func replace(b []byte, old, new string) []byte {
	return bytes.Replace(b, []byte(old), []byte(new), 1)
}

// with returns signed with one member changed.
func with(signed m, name string, v any) m {
	out := m{}
	for k, e := range signed {
		out[k] = e
	}
	out[name] = v
	return out
}

// TestStrictness: refused are a root made up by the submitter, one key under two ids counted twice,
// repeated key ids, an unknown specification version, duplicate JSON keys and the wrong role.
func TestStrictness(t *testing.T) {
	for _, c := range slices.Concat(refusedJSON(t), refusedSigners(t), refusedHeaders(t), refusedRoots(t)) {
		t.Run(c.name, func(t *testing.T) {
			p, err := New().Parse(context.Background(), c.doc, c.keys, strict())
			if p != nil || formats.ReasonOf(err) != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if got := goTUF(c.keys[0], c.doc) == nil; got != c.tolerated {
				t.Errorf("go-tuf accepts: %v (%v)", got, goTUF(c.keys[0], c.doc))
			}
		})
	}
}

// refusedJSON: files that lenient readers take for the document that was signed.
func refusedJSON(t *testing.T) []refusal {
	root, snapshot := mintKey(t), mintKey(t)
	keys := [][]byte{signedBy(t, mintRoot(t, root, 1, snapshot), root)}
	signed := mintSigned("snapshot")
	doc := signedBy(t, signed, snapshot)
	bad := formats.ReasonMalformedSignature
	return []refusal{
		{"duplicate key in signed", replace(doc, `"version":1}`, `"version":2,"version":1}`), keys, bad, true},
		{"duplicate key at the top", replace(doc, `{"signatures"`, `{"signatures":[],"signatures"`), keys, bad, true},
		{"duplicate key, escaped", replace(doc, `"_type"`, `"_typ\u0065":"root","_type"`), keys, bad, true},
		{"key in other letters", replace(doc, `"_type"`, `"Version":9,"_type"`), keys, bad, false},
		{"signed in other letters beside it", replace(doc, `{"signatures"`, `{"Signed":{},"signatures"`), keys, bad, true},
		{"trailing object", append(bytes.Clone(doc), "{}"...), keys, formats.ReasonTrailingData, false},
		{"trailing bracket", append(bytes.Clone(doc), '}'), keys, formats.ReasonTrailingData, false},
		{"not UTF-8", signedBy(t, with(signed, "x-note", "\ufffd"), snapshot), keys, bad, true},
		{"half a surrogate pair", replace(signedBy(t, with(signed, "x-note", "\ufffd"), snapshot), "\ufffd", `\ud800`), keys, bad, true},
		{"a byte that is no UTF-8", replace(signedBy(t, with(signed, "x-note", "\ufffd"), snapshot), "\ufffd", "\xff"), keys, bad, true},
		{"fraction", replace(doc, `"version":1}`, `"version":1.0}`), keys, bad, false},
		{"minus zero", replace(signedBy(t, with(signed, "x-note", 0), snapshot), `"x-note":0`, `"x-note":-0`), keys, bad, false},
		{"number beyond 64 bits", replace(doc, `"_type"`, `"x":99999999999999999999,"_type"`), keys, bad, false},
		{"byte order mark", append([]byte("\ufeff"), doc...), keys, bad, false},
		{"an array", []byte("[" + string(doc) + "]"), keys, bad, false},
		{"signature not hexadecimal", replace(doc, `"sig":"30`, `"sig":"3x`), keys, bad, false},
		{"no signatures member", replace(doc, `"signatures"`, `"signature"`), keys, bad, false},
		{"nested", replace(doc, `"_type"`, `"x":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+`,"_type"`), keys, formats.ReasonTooLarge, false},
		{"many values", replace(doc, `"_type"`, `"x":[0`+strings.Repeat(",0", maxValues)+`],"_type"`), keys, formats.ReasonTooLarge, false},
		{"tampered", replace(doc, `"version":1}`, `"version":2}`), keys, formats.ReasonSignatureInvalid, false},
	}
}

// refusedSigners: thresholds that are reached only by counting what must not count.
func refusedSigners(t *testing.T) []refusal {
	root, a, b, other := mintKey(t), mintKey(t), mintKey(t), mintKey(t)
	signed := mintSigned("snapshot")
	keysFor := func(threshold int, keys ...testKey) [][]byte {
		r := mintRoot(t, root, threshold, keys...)
		r["keys"].(m)[other.id] = other.listed
		return [][]byte{signedBy(t, r, root)}
	}
	both := keysFor(2, a, b)
	renamed := keysFor(2, a, a.named("another-id"))
	broken := encode(t, m{"signed": signed, "signatures": []any{a.sign(t, signed), b.sign(t, m{"other": 1})}})
	unsigned := encode(t, m{"signed": signed, "signatures": []any{m{"keyid": a.id, "sig": ""}}})
	return []refusal{
		{"one key under two ids", signedBy(t, signed, a, a.named("another-id")), renamed, formats.ReasonThresholdNotMet, false},
		{"one key as two kinds", signedBy(t, signed, a, a.twin(t)), keysFor(2, a, a.twin(t)), formats.ReasonThresholdNotMet, false},
		{"repeated key id", signedBy(t, signed, a, a), both, formats.ReasonMalformedSignature, false},
		{"repeated key id, one valid signature is enough", signedBy(t, signed, a, a), keysFor(1, a), formats.ReasonMalformedSignature, false},
		{"threshold not met", signedBy(t, signed, a), both, formats.ReasonThresholdNotMet, false},
		{"threshold met with another role's key", signedBy(t, signed, a, other), both, formats.ReasonThresholdNotMet, false},
		{"wrong role", signedBy(t, signed, other), both, formats.ReasonNotAuthorized, false},
		{"the root's key", signedBy(t, signed, root), both, formats.ReasonNotAuthorized, false},
		{"stranger", signedBy(t, signed, mintKey(t)), both, formats.ReasonKeyMismatch, false},
		{"a broken signature beside enough valid ones", broken, keysFor(1, a, b), formats.ReasonSignatureInvalid, true},
		{"no signature", signedBy(t, signed), both, formats.ReasonNoSignature, false},
		{"only a place for a signature", unsigned, both, formats.ReasonNoSignature, false},
		{"too many signatures", signedBy(t, signed, manyKeys(t, maxSignatures+1)...), both, formats.ReasonTooLarge, false},
	}
}

func manyKeys(t *testing.T, n int) []testKey {
	k := mintKey(t)
	out := make([]testKey, n)
	for i := range out {
		out[i] = k.named(strings.Repeat("a", i+1))
	}
	return out
}

func refusedHeaders(t *testing.T) []refusal {
	root, a := mintKey(t), mintKey(t)
	keys := [][]byte{signedBy(t, mintRoot(t, root, 1, a), root)}
	signed := mintSigned("snapshot")
	bad := formats.ReasonMalformedSignature
	header := func(name, member string, v any, want formats.Reason, tolerated bool) refusal {
		return refusal{name, signedBy(t, with(signed, member, v), a), keys, want, tolerated}
	}
	return []refusal{
		header("specification 2.0", "spec_version", "2.0.0", formats.ReasonUnsupportedVersion, true),
		header("specification 10", "spec_version", "10.0", formats.ReasonUnsupportedVersion, true),
		header("specification 1", "spec_version", "1", formats.ReasonUnsupportedVersion, true),
		header("no specification", "spec_version", nil, bad, false),
		header("unknown role", "_type", "mirrors", formats.ReasonUnsupportedSignature, false),
		header("in-toto link", "_type", "link", formats.ReasonUnsupportedSignature, false),
		header("role in capitals", "_type", "Snapshot", formats.ReasonUnsupportedSignature, false),
		header("version 0", "version", 0, bad, true),
		header("version as text", "version", "1", bad, false),
		header("no expiry", "expires", "", bad, false),
		header("expiry without a zone", "expires", "2050-01-01T00:00:00", bad, false),
		header("expired", "expires", "2026-06-01T12:00:00Z", formats.ReasonMetadataExpired, true),
		header("meta of no version", "meta", m{"targets.json": m{}}, bad, false),
	}
}

func refusedRoots(t *testing.T) []refusal {
	root, a, other := mintKey(t), mintKey(t), mintKey(t)
	doc := signedBy(t, mintSigned("snapshot"), a)
	base := mintRoot(t, root, 1, a)
	change := func(name, member string, v any, want formats.Reason, tolerated bool) refusal {
		return refusal{name, doc, [][]byte{signedBy(t, with(base, member, v), root)}, want, tolerated}
	}
	roles := func(threshold any, ids ...string) m {
		return with(base["roles"].(m), "snapshot", m{"keyids": ids, "threshold": threshold})
	}
	bad := formats.ReasonMalformedKey
	secret := with(a.listed, "keyval", with(a.listed["keyval"].(m), "private", "secret"))
	return []refusal{
		{"root signed by a stranger", doc, [][]byte{signedBy(t, base, other)}, formats.ReasonKeyNotValid, false},
		{"root not signed", doc, [][]byte{signedBy(t, base)}, formats.ReasonKeyNotValid, false},
		{"root tampered", doc, [][]byte{replace(signedBy(t, base, root), `"version":1}`, `"version":2}`)}, formats.ReasonKeyNotValid, false},
		{"root repeats a member", doc, [][]byte{replace(signedBy(t, base, root), `"_type"`, `"version":3,"_type"`)}, bad, true},
		{"two roots of one version", doc, [][]byte{signedBy(t, base, root), signedBy(t, with(base, "x-note", "other"), root)}, formats.ReasonKeyNotTrusted, true},
		change("threshold 0", "roles", roles(0, a.id), bad, false),
		change("threshold beyond the keys", "roles", roles(2, a.id), bad, false),
		change("threshold as text", "roles", roles("1", a.id), bad, false),
		change("role names a key twice", "roles", roles(1, a.id, a.id), bad, true),
		change("role names a key that is not there", "roles", roles(1, a.id, "missing"), bad, false),
		change("role without keys", "roles", roles(1), bad, false),
		change("role missing", "roles", m{"root": base["roles"].(m)["root"]}, bad, false),
		change("private key listed", "keys", m{root.id: root.listed, a.id: secret}, formats.ReasonSecretKey, true),
		change("specification 2 in the root", "spec_version", "2.0", bad, true),
	}
}

// TestKeyKinds: which listed keys can verify, and which are refused.
func TestKeyKinds(t *testing.T) {
	p256, p384, p521 := newECDSAKey(t, elliptic.P256()), newECDSAKey(t, elliptic.P384()), newECDSAKey(t, elliptic.P521())
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	point := listKey(t, p256, "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256")
	raw, err := p256.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	point.listed["keyval"] = m{"public": hex.EncodeToString(raw)}
	changed := func(public string) testKey {
		k := listKey(t, p256, "ecdsa", "ecdsa-sha2-nistp256")
		k.listed["keyval"] = m{"public": public}
		return k
	}
	trailing := listKey(t, p256, "ecdsa", "ecdsa-sha2-nistp256")
	trailing.listed["keyval"].(m)["public"] = trailing.listed["keyval"].(m)["public"].(string) + "more"
	for name, c := range map[string]struct {
		key  testKey
		want formats.Reason
	}{
		"P-256":                          {listKey(t, p256, "ecdsa", "ecdsa-sha2-nistp256"), ""},
		"P-256, type of go-tuf 1":        {listKey(t, p256, "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"), ""},
		"P-256, bare point":              {point, ""},
		"P-384 under a P-256 scheme":     {listKey(t, p384, "ecdsa", "ecdsa-sha2-nistp256"), formats.ReasonMalformedKey},
		"P-521 under a P-384 scheme":     {listKey(t, p521, "ecdsa", "ecdsa-sha2-nistp384"), formats.ReasonMalformedKey},
		"EC key as RSA":                  {listKey(t, p256, "rsa", "rsassa-pss-sha256"), formats.ReasonMalformedKey},
		"RSA-1024":                       {listKey(t, small, "rsa", "rsassa-pss-sha256"), formats.ReasonWeakAlgorithm},
		"unknown scheme":                 {listKey(t, p256, "ecdsa", "ecdsa-sha3"), formats.ReasonUnsupportedAlgorithm},
		"unknown type":                   {listKey(t, p256, "ml-dsa", "ecdsa-sha2-nistp256"), formats.ReasonUnsupportedAlgorithm},
		"SHA-1":                          {listKey(t, small, "rsa", "rsassa-pss-sha1"), formats.ReasonUnsupportedAlgorithm},
		"text after the PEM":             {trailing, formats.ReasonMalformedKey},
		"not PEM":                        {changed("key"), formats.ReasonMalformedKey},
		"point that is not on the curve": {changed("04" + strings.Repeat("00", 64)), formats.ReasonMalformedKey},
		"private PEM":                    {changed("-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"), formats.ReasonSecretKey},
	} {
		root := mintKey(t)
		doc := signedBy(t, mintSigned("snapshot"), c.key)
		_, err := New().Parse(context.Background(), doc, [][]byte{signedBy(t, mintRoot(t, root, 1, c.key), root)}, strict())
		if formats.ReasonOf(err) != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// TestProjectableKinds: only what a log has an entry for becomes a candidate.
func TestProjectableKinds(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	edKey := listKey(t, ed, "ed25519", "ed25519")
	edKey.listed["keyval"] = m{"public": hex.EncodeToString(ed.Public().(ed25519.PublicKey))}
	short := edKey.named("short")
	short.listed = with(edKey.listed, "keyval", m{"public": "00"})
	for name, c := range map[string]struct {
		key        testKey
		projection formats.Scheme
		want       formats.Reason
	}{
		"P-384":                 {listKey(t, newECDSAKey(t, elliptic.P384()), "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384"), formats.ECDSA, ""},
		"P-521":                 {listKey(t, newECDSAKey(t, elliptic.P521()), "ecdsa", "ecdsa-sha2-nistp521"), formats.ECDSA, ""},
		"Ed25519":               {edKey, formats.Ed25519, ""},
		"Ed25519, too short":    {short, "", formats.ReasonMalformedKey},
		"RSA PKCS#1 v1.5":       {listKey(t, rsaKey, "rsa", "rsa-pkcs1v15-sha256"), formats.RSAPKCS1v15, ""},
		"RSA PKCS#1, SHA-512":   {listKey(t, rsaKey, "rsa", "rsa-pkcs1v15-sha512"), formats.RSAPKCS1v15, ""},
		"RSA-PSS":               {listKey(t, rsaKey, "rsa", "rsassa-pss-sha256"), formats.RSAPSS, ""},
		"RSA-PSS with SHA-384":  {listKey(t, rsaKey, "rsa", "rsassa-pss-sha384"), formats.RSAPSS, ""},
		"Ed25519 under a P-256": {listKey(t, ed, "ecdsa", "ecdsa-sha2-nistp256"), "", formats.ReasonMalformedKey},
	} {
		root := mintKey(t)
		signed := mintSigned("snapshot")
		signatures := []any{m{"keyid": c.key.id, "sig": "00"}}
		if c.want == "" {
			signatures = []any{c.key.sign(t, signed)}
		}
		p, err := New().Parse(context.Background(), encode(t, m{"signed": signed, "signatures": signatures}),
			[][]byte{signedBy(t, mintRoot(t, root, 1, c.key), root)}, strict())
		if formats.ReasonOf(err) != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
			continue
		}
		if err != nil {
			continue
		}
		if got := p.Describe().Candidates; (len(got) == 1) != (c.projection != "") || len(got) == 1 && got[0].Scheme != c.projection {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func newECDSAKey(t *testing.T, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestSecretKeyFiles: private keys sent as a key, in the forms that TUF tools store them in.
func TestSecretKeyFiles(t *testing.T) {
	for name, key := range map[string]string{
		"PEM":                 "-----BEGIN EC PRIVATE KEY-----\nAA==\n-----END EC PRIVATE KEY-----\n",
		"encrypted PEM":       "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n",
		"securesystemslib":    `{"keytype":"ed25519","scheme":"ed25519","keyval":{"public":"00","private":"00"}}`,
		"go-tuf 1, encrypted": `{"encrypted":true,"data":{"kdf":{},"cipher":{},"ciphertext":"AA=="}}`,
		"go-tuf 1":            `{"encrypted":false,"data":[{"keytype":"ed25519","keyval":{"public":"00","private":"00"}}]}`,
	} {
		_, err := New().Parse(context.Background(), read(t, "snapshot.json"), [][]byte{[]byte(key)}, strict())
		if formats.ReasonOf(err) != formats.ReasonSecretKey {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSignerPolicy: allowed and forbidden signers hold for every signer.
func TestSignerPolicy(t *testing.T) {
	parse := func(p formats.Policy) (formats.Parsed, error) {
		return New().Parse(context.Background(), read(t, "targets.json"), readAll(t, "root-1.json"), p)
	}
	p, err := parse(strict())
	if err != nil {
		t.Fatal(err)
	}
	signers := p.Describe().Signers
	allowed, forbidden := strict(), strict()
	allowed.AllowedSigners = append(allowed.AllowedSigners, spkiHash(signers[0]))
	forbidden.ForbiddenSigners = append(forbidden.ForbiddenSigners, spkiHash(signers[1]))
	if _, err := parse(allowed); formats.ReasonOf(err) != formats.ReasonKeyNotTrusted {
		t.Errorf("one of two signers allowed: %v", err)
	}
	if _, err := parse(forbidden); formats.ReasonOf(err) != formats.ReasonForbiddenSigner {
		t.Errorf("one of two signers forbidden: %v", err)
	}
	allowed.AllowedSigners = append(allowed.AllowedSigners, spkiHash(signers[1]))
	if _, err := parse(allowed); err != nil {
		t.Errorf("both allowed: %v", err)
	}
}

// TestSameSubmission: what a signature does not say does not change the canonical form.
func TestSameSubmission(t *testing.T) {
	root, a, b := mintKey(t), mintKey(t), mintKey(t)
	keys := [][]byte{signedBy(t, mintRoot(t, root, 2, a, b), root)}
	signed := mintSigned("snapshot")
	sigA, sigB := a.sign(t, signed), b.sign(t, signed)
	canonicalOf := func(signatures ...any) []byte {
		return verifyDoc(t, encode(t, m{"signed": signed, "signatures": signatures, "x-note": len(signatures)}), keys).Canonical
	}
	want := canonicalOf(sigA, sigB)
	upper := m{"keyid": b.id, "sig": strings.ToUpper(sigB["sig"].(string))}
	for name, got := range map[string][]byte{
		"other order":       canonicalOf(sigB, sigA),
		"upper case":        canonicalOf(sigA, upper),
		"stranger's too":    canonicalOf(sigA, mintKey(t).sign(t, signed), sigB),
		"malleated":         canonicalOf(sigA, malleate(t, sigB)),
		"another role's":    canonicalOf(root.sign(t, signed), sigA, sigB),
		"unknown key, junk": canonicalOf(sigA, sigB, m{"keyid": "unknown", "sig": "00"}),
	} {
		if !bytes.Equal(got, want) {
			t.Errorf("%s: another submission", name)
		}
	}
}

// malleate is the same ECDSA signature with n−s for s.
func malleate(t *testing.T, sig m) m {
	t.Helper()
	raw, err := hex.DecodeString(sig["sig"].(string))
	if err != nil {
		t.Fatal(err)
	}
	r, s := parseECDSA(t, raw)
	return m{"keyid": sig["keyid"], "sig": hex.EncodeToString(encodeECDSA(t, r, new(big.Int).Sub(elliptic.P256().Params().N, s)))}
}

func verifyDoc(t testing.TB, doc []byte, keys [][]byte) *formats.Verified {
	t.Helper()
	p, err := New().Parse(context.Background(), doc, keys, strict())
	if err != nil {
		t.Fatal(err)
	}
	v, err := p.Verify(context.Background(), formats.Artifact{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestRenamedKeyInRotation: a root that names the same key otherwise than the one before it needs a
// signature under each name; both stay in the canonical form, and one projection is enough.
func TestRenamedKeyInRotation(t *testing.T) {
	a := mintKey(t)
	renamed := a.named("renamed")
	first := mintRoot(t, a, 1, a)
	second := with(mintRoot(t, renamed, 1, renamed), "version", 2)
	keys := [][]byte{signedBy(t, first, a)}
	v := verifyDoc(t, signedBy(t, second, a, renamed), keys)
	if len(v.Signers) != 1 || len(v.Projections) != 1 {
		t.Errorf("%d signers, %d projections", len(v.Signers), len(v.Projections))
	}
	again := verifyDoc(t, escapeControls(v.Canonical), keys)
	if !bytes.Equal(again.Canonical, v.Canonical) {
		t.Error("canonical form is no fixed point")
	}
	if _, err := New().Parse(context.Background(), signedBy(t, second, a), keys, strict()); formats.ReasonOf(err) != formats.ReasonKeyMismatch {
		t.Errorf("without the new name's signature: %v", err)
	}
}
