// SPDX-License-Identifier: Apache-2.0

package pgp_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
	"github.com/rekor-gateway/rekor-gateway/formats/pgp"
)

// FuzzParse: no panic on a hostile signature or key, every refusal is typed, there is never a
// value beside it, and work is in proportion to the input.
func FuzzParse(f *testing.F) {
	ring := read(f, "keyring.gpg")
	for _, sig := range seeds(f) {
		f.Add(sig, ring, false)
		f.Add(sig, read(f, "v6-rsa.key"), true)
	}
	for _, g := range valid {
		f.Add(read(f, g.sig), read(f, g.key), true)
	}
	for _, name := range []string{"revoker/none", "revoker/sensitive", "revoker/retired", "revoker/named"} {
		f.Add(read(f, name+".sig"), read(f, name+".key"), true)
		f.Add(read(f, name+".sig"), append(read(f, name+".key"), read(f, "revoker/officer.key")...), true)
	}
	f.Fuzz(func(t *testing.T, sig, key []byte, lax bool) {
		pgp.New().Detect(sig)
		ctx, check := formatstest.CheckWork(t, sig, key)
		p, err := pgp.New().Parse(ctx, sig, [][]byte{key}, formats.Policy{Now: now, Historical: formats.AllowAll(lax), KnownOnly: lax})
		check()
		if (p == nil) != (err != nil) {
			t.Fatal("a value beside an error, or neither")
		}
		if err != nil {
			if formats.ReasonOf(err) == "" {
				t.Fatalf("untyped: %v", err)
			}
			return
		}
		p.Describe()
	})
}

// FuzzVerify: whatever verifies, its projections verify with the standard library and rebuild, its canonical
// form and minimal key verify again and are fixed points.
func FuzzVerify(f *testing.F) {
	for _, g := range valid {
		var a []byte
		if g.artifact != "" {
			a = read(f, g.artifact)
		}
		f.Add(read(f, g.sig), read(f, g.key), a, g.policy.Historical.Allow != 0)
	}
	f.Fuzz(func(t *testing.T, sig, key, artifact []byte, lax bool) {
		policy := formats.Policy{Now: now, Historical: formats.AllowAll(lax)}
		v, cleartext := tryVerify(t, sig, key, artifact, policy)
		if v == nil {
			return
		}
		for _, part := range v.Each() {
			checkProjections(t, part, artifact)
		}
		again, _ := tryVerify(t, sig, v.Keys[0], artifact, policy)
		if again == nil || !bytes.Equal(again.Keys[0], v.Keys[0]) || !bytes.Equal(again.Canonical, v.Canonical) {
			t.Fatal("the minimal key is no fixed point")
		}
		if cleartext {
			return
		}
		again, _ = tryVerify(t, v.Canonical, key, artifact, policy)
		if again == nil || !bytes.Equal(again.Canonical, v.Canonical) {
			t.Fatal("the canonical form is no fixed point")
		}
	})
}

func checkProjections(t *testing.T, v *formats.Verified, artifact []byte) {
	t.Helper()
	for _, p := range v.Projections {
		h := p.Hash.New()
		if _, err := formats.Copy(context.Background(), h, p.Recipe.Reader(bytes.NewReader(artifact))); err != nil {
			t.Fatal(err)
		}
		if err := p.VerifyDigest(); err != nil || !bytes.Equal(h.Sum(nil), p.Digest.Value) {
			t.Fatalf("projection: %v", err)
		}
	}
}

func tryVerify(t *testing.T, sig, key, artifact []byte, policy formats.Policy) (v *formats.Verified, cleartext bool) {
	ctx, check := formatstest.CheckWork(t, sig, key)
	defer check()
	p, err := pgp.New().Parse(ctx, sig, [][]byte{key}, policy)
	if err != nil {
		return nil, false
	}
	var a formats.Artifact
	if cleartext = p.Describe().Need == formats.NeedNone; !cleartext {
		a = formats.FromReader(bytes.NewReader(artifact))
	}
	v, err = p.Verify(ctx, a)
	if (v == nil) != (err != nil) || err != nil && formats.ReasonOf(err) == "" {
		t.Fatalf("value %v beside %v", v != nil, err)
	}
	return v, cleartext
}

func seeds(f *testing.F) (list [][]byte) {
	for _, pattern := range []string{"testdata/*.sig", "testdata/*.asc", "testdata/*.gpg", "testdata/v*.key"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range files {
			b, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			list = append(list, b)
		}
	}
	return list
}
