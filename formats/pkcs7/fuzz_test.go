// SPDX-License-Identifier: Apache-2.0

package pkcs7_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
	"github.com/rekor-gateway/rekor-gateway/formats/pkcs7"
)

// FuzzVerify: no panic, never a value beside an error, every refusal typed; what verifies projects
// to what the standard library verifies, with a recipe that rebuilds it; work in proportion to the input.
func FuzzVerify(f *testing.F) {
	for _, c := range valid {
		artifact := []byte{}
		if c.artifact != "" {
			artifact = file(f, c.artifact)
		}
		f.Add(file(f, c.signature), artifact)
	}
	for _, name := range []string{"sha1.der", "enveloped.der", "no-signer.der", "other-content.der"} {
		f.Add(file(f, name), file(f, "artifact.bin"))
	}
	for _, name := range []string{"several/two.der", "several/two-attached.der", "several/two-noattr.der", "kinds/ed25519.der", "kinds/compressed.der", "kinds/pss.der"} {
		f.Add(file(f, name), file(f, "artifact.bin"))
	}
	policy := kindsPolicy(f)
	f.Fuzz(func(t *testing.T, signature, artifact []byte) {
		ctx, check := formatstest.CheckWork(t, signature)
		defer check()
		s, err := pkcs7.New().Parse(ctx, signature, nil, policy)
		if err != nil {
			checkRefusal(t, s != nil, err)
			return
		}
		a := formats.FromReader(bytes.NewReader(artifact))
		if s.Describe().Need == formats.NeedNone {
			a = formats.Artifact{}
		}
		v, err := s.Verify(ctx, a)
		if err != nil {
			checkRefusal(t, v != nil, err)
			return
		}
		if len(s.Describe().Each()) != len(v.Each()) {
			t.Error("not every signature was verified")
		}
		for _, part := range v.Each() {
			checkVerified(t, part, artifact)
		}
	})
}

func checkRefusal(t *testing.T, value bool, err error) {
	if value {
		t.Error("a value beside an error")
	}
	if formats.ReasonOf(err) == "" {
		t.Errorf("untyped refusal: %v", err)
	}
}

func checkVerified(t *testing.T, v *formats.Verified, artifact []byte) {
	for _, p := range v.Projections {
		if err := p.VerifyDigest(); err != nil {
			t.Error(err)
		}
		h := p.Hash.New()
		if _, err := formats.Copy(context.Background(), h, p.Recipe.Reader(bytes.NewReader(artifact))); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(h.Sum(nil), p.Digest.Value) {
			t.Error("the recipe rebuilds other bytes")
		}
	}
}
