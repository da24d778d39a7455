// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
)

func spkiHash(s formats.Signer) [sha256.Size]byte { return sha256.Sum256(s.SPKI) }

func parseECDSA(t *testing.T, sig []byte) (r, s *big.Int) {
	t.Helper()
	var v struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(sig, &v); err != nil {
		t.Fatal(err)
	}
	return v.R, v.S
}

func encodeECDSA(t *testing.T, r, s *big.Int) []byte {
	t.Helper()
	b, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// escapeControls makes canonical JSON readable by all JSON readers.
func escapeControls(canonical []byte) []byte {
	var out []byte
	for _, b := range canonical {
		if b < ' ' {
			out = fmt.Appendf(out, `\u%04x`, b)
		} else {
			out = append(out, b)
		}
	}
	return out
}

// TestRandomRolesAgainstGoTUF: over random roles and signatures, the verdict is go-tuf's but for
// what is refused beyond it: a repeated or a broken signature of a key that may sign.
func TestRandomRolesAgainstGoTUF(t *testing.T) {
	rng := mathrand.New(mathrand.NewPCG(1, 2))
	root := mintKey(t)
	var pool []testKey
	for range 4 {
		k := mintKey(t)
		pool = append(pool, k, k.twin(t))
	}
	signed := mintSigned("snapshot")
	verdicts := map[formats.Reason]int{}
	for i := range 300 {
		role := pick(rng, pool)
		threshold := 1 + rng.IntN(len(role))
		keys := [][]byte{signedBy(t, mintRoot(t, root, threshold, role...), root)}
		doc, broken := randomSignatures(t, rng, signed, pool, role)
		_, err := New().Parse(context.Background(), doc, keys, strict())
		verdicts[formats.ReasonOf(err)]++
		other := goTUF(keys[0], doc)
		if (err == nil) != (other == nil) && (other != nil || !broken) {
			t.Fatalf("case %d: %v, go-tuf: %v", i, err, other)
		}
		if err == nil && broken {
			t.Fatalf("case %d: accepted with a broken signature", i)
		}
	}
	for _, r := range []formats.Reason{"", formats.ReasonThresholdNotMet, formats.ReasonSignatureInvalid, formats.ReasonKeyMismatch} {
		if verdicts[r] == 0 {
			t.Errorf("no case was %q: %v", r, verdicts)
		}
	}
}

// pick returns one to four keys of pool.
func pick(rng *mathrand.Rand, pool []testKey) []testKey {
	out := slices.Clone(pool)
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out[:1+rng.IntN(min(4, len(out)))]
}

// randomSignatures returns a document and whether a key of role made a broken signature.
func randomSignatures(t *testing.T, rng *mathrand.Rand, signed m, pool, role []testKey) (doc []byte, broken bool) {
	signatures := []any{}
	for _, k := range append(pick(rng, pool), pick(rng, role)...) {
		id := func(o testKey) bool { return o.id == k.id }
		if slices.ContainsFunc(signatures, func(s any) bool { return s.(m)["keyid"] == k.id }) {
			continue
		}
		switch rng.IntN(10) {
		case 0:
			signatures = append(signatures, k.sign(t, m{"other": rng.Int()}))
			broken = broken || slices.ContainsFunc(role, id)
		case 1:
			signatures = append(signatures, m{"keyid": k.id, "sig": ""})
		default:
			signatures = append(signatures, k.sign(t, signed))
		}
	}
	return encode(t, m{"signed": signed, "signatures": signatures}), broken
}

// TestMutationsAgainstGoTUF: of files that are cut, spliced and changed at random, none is accepted
// that go-tuf refuses.
func TestMutationsAgainstGoTUF(t *testing.T) {
	rng := mathrand.New(mathrand.NewPCG(3, 4))
	root := read(t, "root-1.json")
	accepted := 0
	for _, name := range []string{"targets.json", "targets-mixed.json", "snapshot.json", "timestamp.json"} {
		doc := read(t, name)
		for range 300 {
			mutant := mutate(rng, doc)
			if _, err := New().Parse(context.Background(), mutant, [][]byte{root}, strict()); err != nil {
				continue
			}
			accepted++
			if err := goTUF(root, mutant); err != nil {
				t.Errorf("accepted, but go-tuf says %v:\n%s", err, mutant)
			}
		}
	}
	if accepted < 50 {
		t.Errorf("only %d mutants were accepted: the mutations are too rough", accepted)
	}
}

// mutate changes one place of doc: white space mostly leaves the meaning, the rest does not.
func mutate(rng *mathrand.Rand, doc []byte) []byte {
	i := rng.IntN(len(doc))
	j := min(len(doc), i+rng.IntN(40))
	switch rng.IntN(5) {
	case 0:
		return slices.Insert(bytes.Clone(doc), i, " \t\r\n"[rng.IntN(4)])
	case 1:
		return slices.Delete(bytes.Clone(doc), i, j)
	case 2:
		return slices.Insert(bytes.Clone(doc), i, doc[i:j]...)
	case 3:
		return slices.Insert(bytes.Clone(doc), rng.IntN(len(doc)), doc[i:j]...)
	}
	out := bytes.Clone(doc)
	out[i] ^= 1 << rng.IntN(8)
	return out
}

// FuzzParse: no panic, never a value beside an error, every error typed; what is accepted has
// projections that verify by the standard library and a canonical form that is a fixed point; work in proportion to the input.
func FuzzParse(f *testing.F) {
	for _, c := range [][2]string{{"targets.json", "root-1.json"}, {"targets-mixed.json", "root-1.json"}, {"snapshot.json", "root-1.json"},
		{"timestamp.json", "root-1.json"}, {"root-2.json", "root-1.json"}, {"twice-targets.json", "twice-root.json"},
		{"releases.json", "delegating.json"}, {"expired-root-targets.json", "expired-root.json"}} {
		f.Add(read(f, c[0]), read(f, c[1]))
	}
	root := read(f, "root-1.json")
	f.Fuzz(func(t *testing.T, doc, key []byte) {
		New().Detect(doc)
		for _, keys := range [][][]byte{{key}, {root, key}} {
			for _, policy := range []formats.Policy{strict(), historical()} {
				checkParse(t, doc, keys, policy)
			}
		}
	})
}

func checkParse(t *testing.T, doc []byte, keys [][]byte, policy formats.Policy) {
	ctx, check := formatstest.CheckWork(t, append(keys[:len(keys):len(keys)], doc)...)
	defer check()
	p, err := New().Parse(ctx, doc, keys, policy)
	if (p == nil) != (err != nil) || err != nil && formats.ReasonOf(err) == "" {
		t.Fatalf("%v beside %v", p, err)
	}
	if err != nil {
		return
	}
	v, err := p.Verify(ctx, formats.Artifact{})
	if err != nil {
		t.Fatal(err)
	}
	d := p.Describe()
	if len(v.Projections) != len(d.Candidates) || len(d.Candidates) > 0 && len(d.Candidates) < d.Threshold {
		t.Fatalf("%d projections of %d candidates, threshold %d", len(v.Projections), len(d.Candidates), d.Threshold)
	}
	for _, proj := range v.Projections {
		if err := proj.VerifyDigest(); err != nil {
			t.Fatal(err)
		}
	}
	again, err := New().Parse(context.Background(), escapeControls(v.Canonical), v.Keys, policy)
	if err != nil {
		t.Fatalf("the canonical form does not verify: %v", err)
	}
	w, err := again.Verify(context.Background(), formats.Artifact{})
	if err != nil || !bytes.Equal(v.Canonical, w.Canonical) {
		t.Fatalf("the canonical form is no fixed point: %v", err)
	}
}

// FuzzSigned: the same for metadata that the fuzzer writes and a key signs, so that it gets past the
// signature checks, as root and as what the root's keys sign.
func FuzzSigned(f *testing.F) {
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{7}, 32))
	if err != nil {
		f.Fatal(err)
	}
	key := listKey(f, private, "ecdsa", "ecdsa-sha2-nistp256")
	root := mintRoot(f, key, 1, key)
	delegating := with(mintSigned("targets"), "targets", m{"a": m{"length": 1, "hashes": m{"sha256": strings.Repeat("00", 32)}}})
	delegating["delegations"] = m{"keys": m{key.id: key.listed}, "roles": []any{m{"name": "a", "keyids": []string{key.id}, "threshold": 1,
		"terminating": true, "paths": []string{"a/*"}}}}
	for _, signed := range []m{root, with(root, "version", 2), delegating, mintSigned("snapshot")} {
		f.Add(encode(f, signed))
	}
	rootFile := signedBy(f, root, key)
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := cjson.EncodeCanonical(json.RawMessage(data)); err != nil {
			return
		}
		doc := signedBy(t, json.RawMessage(data), key)
		for _, keys := range [][][]byte{{rootFile}, {doc}, {rootFile, doc}} {
			checkParse(t, doc, keys, historical())
		}
		checkParse(t, signedBy(t, mintSigned("targets"), key), [][]byte{rootFile, doc}, historical())
	})
}
