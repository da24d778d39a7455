// SPDX-License-Identifier: Apache-2.0

package x509_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
	"github.com/rekor-gateway/rekor-gateway/formats/x509"
)

// FuzzVerify: no panic, never a value beside an error, every refusal typed; what verifies projects to
// what the standard library verifies, has the artifact's own SHA-256, and verifies again
// with the keys it returns; work in proportion to the input.
func FuzzVerify(f *testing.F) {
	artifact := file(f, "artifact.bin")
	for _, c := range valid {
		f.Add(file(f, c.signature), file(f, c.key), artifact)
	}
	f.Add(file(f, "attributes.sig"), file(f, "p256.pem"), file(f, "attributes.bin"))
	f.Add(file(f, "p256.sig"), file(f, "secret-pkcs12.der"), artifact)
	policy := strict(f)
	f.Fuzz(func(t *testing.T, signature, key, artifact []byte) {
		ctx, check := formatstest.CheckWork(t, signature, key)
		defer check()
		s, err := x509.New().Parse(ctx, signature, [][]byte{key}, policy)
		if err != nil {
			checkRefusal(t, s != nil, err)
			return
		}
		v, err := s.Verify(ctx, formats.FromReader(bytes.NewReader(artifact)))
		if err != nil {
			checkRefusal(t, v != nil, err)
			return
		}
		if sum := sha256.Sum256(artifact); !bytes.Equal(v.Digests[0].Value, sum[:]) {
			t.Error("another artifact's digest")
		}
		for _, p := range v.Projections {
			if err := p.VerifyDigest(); err != nil {
				t.Error(err)
			}
		}
		if _, err := x509.New().Parse(context.Background(), signature, v.Keys, policy); err != nil {
			t.Errorf("the returned keys do not do: %v", err)
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

// FuzzDetect: what is claimed is a signature that parses, given a fitting key, or is refused as typed.
func FuzzDetect(f *testing.F) {
	f.Add(file(f, "p256.sig"))
	f.Add(file(f, "p256.b64"))
	f.Fuzz(func(t *testing.T, signature []byte) {
		claimed := x509.New().Detect(signature)
		if claimed && x509.New().Detect(append(bytes.Clone(signature), 0)) {
			t.Error("claims bytes after the end")
		}
	})
}
