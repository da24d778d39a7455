// SPDX-License-Identifier: Apache-2.0

package pkcs7_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest/cmsedit"
	"github.com/rekor-gateway/rekor-gateway/formats/pkcs7"
)

// severalPolicy is for data of several days.
func severalPolicy(t testing.TB) formats.Policy {
	return formats.Policy{Now: kindsPolicy(t).Now}
}

// TestSeveralSigners: every signature of a file is verified, recorded by itself, and by one reading.
func TestSeveralSigners(t *testing.T) {
	merge := func(names ...string) []byte {
		var files [][]byte
		for _, n := range names {
			files = append(files, file(t, n))
		}
		return cmsedit.Merge(files[0], files[1:]...)
	}
	for _, c := range []struct {
		name      string
		signature []byte
		keys      []string
		artifact  string
		need      formats.Need
		signers   int
		projected []int // per signature
		digests   int   // stated
	}{
		{"two", file(t, "several/two.der"), nil, "artifact.bin", formats.NeedDigest, 2, []int{1, 1}, 1},
		{"two with keys", file(t, "several/two.der"), []string{"several/rsa-cert.pem", "several/P-256-cert.pem"}, "artifact.bin",
			formats.NeedDigest, 2, []int{1, 1}, 1},
		{"by key identifier", file(t, "several/two-keyid.der"), nil, "artifact.bin", formats.NeedDigest, 2, []int{1, 1}, 1},
		{"certificates beside", file(t, "several/two-nocerts.der"), []string{"several/rsa-cert.pem", "several/P-256-cert.pem"}, "artifact.bin",
			formats.NeedDigest, 2, []int{1, 1}, 1},
		{"no attributes", file(t, "several/two-noattr.der"), nil, "artifact.bin", formats.NeedBytes, 2, []int{1, 1}, 1},
		{"attached", file(t, "several/two-attached.der"), nil, "artifact.bin", formats.NeedNone, 2, []int{1, 1}, 1},
		{"S/MIME", file(t, "several/two.eml"), nil, "text.txt", formats.NeedNone, 2, []int{1, 1}, 1},
		{"by earlier tests", file(t, "two-signers.der"), nil, "artifact.bin", formats.NeedDigest, 2, []int{1, 1}, 1},
		{"several hashes", merge("rsa2048.der", "p384.der", "p521.der"), nil, "artifact.bin", formats.NeedBytes, 3, []int{1, 1, 1}, 3},
		{"one signer twice", merge("rsa2048.der", "rsa2048-sha512.der"), nil, "artifact.bin", formats.NeedBytes, 1, []int{1, 1}, 2},
		{"with and without attributes", merge("rsa2048.der", "p256-noattr.der"), nil, "artifact.bin", formats.NeedBytes, 2, []int{1, 1}, 1},
		{"as it is, and as text", merge("rsa2048.der", "p256-noattr.der", "rsa3072-noattr.der"), nil, "artifact.bin", formats.NeedBytes, 3, []int{1, 1, 1}, 1},
		{"RSA-PSS beside", merge("p256.der", "rsa2048-pss.der"), nil, "artifact.bin", formats.NeedDigest, 2, []int{1, 1}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var keys [][]byte
			for _, k := range c.keys {
				keys = append(keys, file(t, k))
			}
			artifact := file(t, c.artifact)
			s, err := pkcs7.New().Parse(t.Context(), c.signature, keys, severalPolicy(t))
			if err != nil {
				t.Fatal(err)
			}
			d := s.Describe()
			if d.Need != c.need || len(d.Parts) != len(c.projected) || len(d.Signers) != c.signers || d.ClaimedTime != nil {
				t.Errorf("described as %+v", d)
			}
			v, err := s.Verify(t.Context(), formats.FromReader(bytes.NewReader(artifact)))
			if err != nil {
				t.Fatal(err)
			}
			for i, part := range v.Parts {
				if len(part.Projections) != c.projected[i] || len(part.Signers) != 1 || !bytes.Equal(part.Signers[0].SPKI, d.Parts[i].Signers[0].SPKI) {
					t.Errorf("part %d: %+v", i, part)
				}
				checkVerified(t, part, artifact)
			}
			if len(v.Parts) != len(c.projected) || len(v.Projections) != 0 || len(v.Digests) != c.digests {
				t.Errorf("%d parts, %d projections, digests %v", len(v.Parts), len(v.Projections), v.Digests)
			}
			checkAgain(t, c.signature, v, artifact, severalPolicy(t))
			if strings.Contains(c.name, "S/MIME") {
				return
			}
			var beside []string
			if len(c.keys) > 0 {
				beside = c.keys
			}
			if !opensslAccepts(t, c.signature, artifact, beside...) {
				t.Error("OpenSSL does not accept it")
			}
		})
	}
}

// checkAgain parses with the keys that a receipt has.
func checkAgain(t *testing.T, signature []byte, v *formats.Verified, artifact []byte, p formats.Policy) {
	t.Helper()
	again, err := run(signature, v.Keys, artifact, p)
	if err != nil || !bytes.Equal(again.Canonical, v.Canonical) || !bytes.Equal(again.Form, v.Form) || len(again.Parts) != len(v.Parts) {
		t.Errorf("with a receipt's keys: %v", err)
	}
}

func TestSeveralSignersRefused(t *testing.T) {
	two, rsa := file(t, "several/two.der"), file(t, "several/rsa-cert.pem")
	broken := bytes.Clone(two)
	broken[len(broken)-1] ^= 1 // the last signer's signature, an RSA number
	other := newForgery(t)
	for name, c := range map[string]struct {
		signature []byte
		keys      [][]byte
		want      formats.Reason
		openssl   bool
	}{
		"one broken":            {broken, nil, formats.ReasonSignatureInvalid, false},
		"over another artifact": {cmsedit.Merge(file(t, "rsa2048.der"), other.der(t)), nil, formats.ReasonArtifactMismatch, false},
		"only one's key sent":   {two, [][]byte{rsa}, formats.ReasonKeyMismatch, true},
		"a certificate missing": {cmsedit.Merge(file(t, "p256.der"), file(t, "rsa2048-nocerts.der")), nil, formats.ReasonMissingKey, false},
		"one of brainpool":      {file(t, "several/with-brainpool.der"), nil, formats.ReasonUnsupportedAlgorithm, true},
		"one over SHA-1":        {cmsedit.Merge(file(t, "p256.der"), file(t, "sha1.der")), nil, formats.ReasonWeakAlgorithm, true},
		"the same one twice":    {cmsedit.Merge(file(t, "p256.der"), file(t, "p256.der")), nil, formats.ReasonMalformedSignature, true},
		"65 of them":            {cmsedit.Merge(file(t, "p256.der"), slices.Repeat([][]byte{file(t, "p256.der")}, 64)...), nil, formats.ReasonTooLarge, true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := run(c.signature, c.keys, file(t, "artifact.bin"), severalPolicy(t))
			wantReason(t, err, c.want)
			if got := opensslAccepts(t, c.signature, file(t, "artifact.bin")); got != c.openssl {
				t.Errorf("OpenSSL says %v", got)
			}
		})
	}
}

// TestKnownOnly: the signatures that none of the keys made are named and not checked; a broken one of the keys refuses.
func TestKnownOnly(t *testing.T) {
	p, artifact := severalPolicy(t), file(t, "artifact.bin")
	p.KnownOnly = true
	two, rsa := file(t, "several/two.der"), [][]byte{file(t, "several/rsa-cert.pem")}
	s, err := pkcs7.New().Parse(t.Context(), two, rsa, p)
	if err != nil {
		t.Fatal(err)
	}
	other := sha256.Sum256(certificate(t, "several/P-256-cert.pem").RawSubjectPublicKeyInfo)
	d := s.Describe()
	if len(d.Parts) != 0 || len(d.Unchecked) != 1 || d.Unchecked[0].Issuer != hex.EncodeToString(other[:]) || d.Signers[0].Algorithm != "RSA-2048" {
		t.Errorf("described as %+v", d)
	}
	v, err := s.Verify(t.Context(), formats.FromReader(bytes.NewReader(artifact)))
	if err != nil || len(v.Projections) != 1 || len(v.Keys) != 1 {
		t.Fatalf("%v: %+v", err, v)
	}
	again, err := pkcs7.New().Parse(t.Context(), two, v.Keys, p)
	if err != nil || len(again.Describe().Unchecked) != 1 {
		t.Errorf("with a receipt's keys: %v", err)
	}
	broken := bytes.Clone(two)
	broken[len(broken)-1] ^= 1
	for name, c := range map[string]struct {
		signature []byte
		keys      [][]byte
		want      formats.Reason
		unchecked int
	}{
		"no keys":                     {two, nil, "", 0},
		"no keys, one not supported":  {file(t, "several/with-brainpool.der"), nil, "", 1},
		"one not supported":           {file(t, "several/with-brainpool.der"), rsa, "", 1},
		"one without certificate":     {file(t, "several/two-nocerts.der"), rsa, "", 1},
		"none known":                  {two, [][]byte{file(t, "other-cert.pem")}, formats.ReasonKeyMismatch, 0},
		"none known, no certificates": {file(t, "several/two-nocerts.der"), nil, formats.ReasonKeyMismatch, 0},
		"the known one broken":        {broken, rsa, formats.ReasonSignatureInvalid, 0},
		"the unknown one broken":      {broken, [][]byte{file(t, "several/P-256-cert.pem")}, "", 1},
		"the only one of another key": {file(t, "rsa2048.der"), [][]byte{file(t, "other-cert.pem")}, formats.ReasonKeyMismatch, 0},
		"the only one of this key":    {file(t, "rsa2048.der"), [][]byte{file(t, "rsa2048-cert.pem")}, "", 0},
		"another's SHA-1 beside":      {cmsedit.Merge(file(t, "p256.der"), file(t, "sha1.der")), [][]byte{file(t, "p256-cert.pem")}, "", 1},
		"bare key of one of the two":  {two, [][]byte{file(t, "kinds/pss-key.pem")}, formats.ReasonKeyMismatch, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := pkcs7.New().Parse(t.Context(), c.signature, c.keys, p)
			if err == nil {
				if got := len(s.Describe().Unchecked); got != c.unchecked {
					t.Errorf("%d unchecked", got)
				}
				_, err = s.Verify(t.Context(), formats.FromReader(bytes.NewReader(artifact)))
			}
			wantReason(t, err, c.want)
		})
	}
}

// The policy's keys win over those that are sent: all have to be among them, or those that are count.
func TestSeveralSignersPolicyKeys(t *testing.T) {
	p, two := severalPolicy(t), file(t, "several/two.der")
	p.Keys = map[string][][]byte{"pkcs7": {file(t, "several/rsa-cert.pem")}}
	_, err := pkcs7.New().Parse(t.Context(), two, nil, p)
	wantReason(t, err, formats.ReasonKeyNotTrusted)
	p.KnownOnly = true
	s, err := pkcs7.New().Parse(t.Context(), two, nil, p)
	if err != nil || len(s.Describe().Unchecked) != 1 {
		t.Errorf("%v", err)
	}
	_, err = pkcs7.New().Parse(t.Context(), two, [][]byte{file(t, "several/P-256-cert.pem")}, p)
	wantReason(t, err, formats.ReasonKeyMismatch)
}

// The order of the signers makes no other submission.
func TestSeveralSignersCanonical(t *testing.T) {
	a, b := file(t, "rsa2048.der"), file(t, "p256.der")
	one, err := run(cmsedit.Merge(a, b), nil, file(t, "artifact.bin"), severalPolicy(t))
	if err != nil {
		t.Fatal(err)
	}
	two, err := run(cmsedit.Merge(b, a), nil, file(t, "artifact.bin"), severalPolicy(t))
	if err != nil || !bytes.Equal(one.Canonical, two.Canonical) {
		t.Errorf("another order is another submission: %v", err)
	}
}

// TestManySigners: as many as there may be cost what they have to.
func TestManySigners(t *testing.T) {
	f := newForgery(t)
	var files [][]byte
	for range formats.MaxSignatures {
		files = append(files, f.der(t)) // each with another nonce
	}
	v := formatstest.Vector{Signature: cmsedit.Merge(files[0], files[1:]...), Artifact: forgedArtifact, Policy: f.policy()}
	if err := formatstest.CheckHostile(t, pkcs7.New(), v); err != nil {
		t.Error(err)
	}
}

// Ed25519 without attributes takes a hash for each signer.
func TestHashesBounded(t *testing.T) {
	f := newForgery(t)
	var files [][]byte
	for i := range formats.MaxHashes + 1 {
		files = append(files, f.ed25519(t, int64(i)))
	}
	for n, want := range map[int]formats.Reason{formats.MaxHashes - 1: "", formats.MaxHashes: formats.ReasonTooLarge} {
		_, err := run(cmsedit.Merge(files[0], files[1:n]...), nil, forgedArtifact, f.policy())
		wantReason(t, err, want)
	}
}
