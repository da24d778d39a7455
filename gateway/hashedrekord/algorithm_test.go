// SPDX-License-Identifier: Apache-2.0

package hashedrekord

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
	"testing"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// rsaKey has a modulus of that many bits; nobody has its other half.
func rsaKey(bits int) *rsa.PublicKey {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	return &rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537}
}

func newECDSA(t *testing.T, c elliptic.Curve) crypto.PublicKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key.Public()
}

func newEd25519(t *testing.T) crypto.PublicKey {
	t.Helper()
	key, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func encodeSPKI(t *testing.T, key crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestKeyDetails lists what Rekor v2 takes, and that every other pair is refused with the remedy.
func TestKeyDetails(t *testing.T) {
	type pair struct {
		key    string
		scheme formats.Scheme
		hash   formats.DigestAlgorithm
	}
	want := map[pair]commonpb.PublicKeyDetails{
		{"RSA-2048", formats.RSAPKCS1v15, formats.SHA256}: commonpb.PublicKeyDetails_PKIX_RSA_PKCS1V15_2048_SHA256,
		{"RSA-3072", formats.RSAPKCS1v15, formats.SHA256}: commonpb.PublicKeyDetails_PKIX_RSA_PKCS1V15_3072_SHA256,
		{"RSA-4096", formats.RSAPKCS1v15, formats.SHA256}: commonpb.PublicKeyDetails_PKIX_RSA_PKCS1V15_4096_SHA256,
		{"ECDSA P-256", formats.ECDSA, formats.SHA256}:    commonpb.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256,
		{"ECDSA P-384", formats.ECDSA, formats.SHA384}:    commonpb.PublicKeyDetails_PKIX_ECDSA_P384_SHA_384,
		{"ECDSA P-521", formats.ECDSA, formats.SHA512}:    commonpb.PublicKeyDetails_PKIX_ECDSA_P521_SHA_512,
		{"Ed25519", formats.Ed25519ph, formats.SHA512}:    commonpb.PublicKeyDetails_PKIX_ED25519_PH,
	}
	keys := []crypto.PublicKey{
		rsaKey(2047), rsaKey(2048), rsaKey(3072), rsaKey(4096), rsaKey(4097),
		newECDSA(t, elliptic.P224()), newECDSA(t, elliptic.P256()), newECDSA(t, elliptic.P384()),
		newECDSA(t, elliptic.P521()), newEd25519(t),
	}
	found := 0
	for _, key := range keys {
		for _, s := range []formats.Scheme{formats.RSAPKCS1v15, formats.RSAPSS, formats.ECDSA, formats.Ed25519ph, ""} {
			for _, h := range []formats.DigestAlgorithm{formats.SHA256, formats.SHA384, formats.SHA512, formats.BLAKE2b512, ""} {
				got, err := KeyDetails(formats.Candidate{SPKI: encodeSPKI(t, key), Scheme: s, Hash: h, Remedy: "the remedy"})
				details, ok := want[pair{formats.KeyName(key), s, h}]
				if ok {
					found++
				}
				var e *formats.Error
				if got != details || ok != (err == nil) || err != nil && (!errors.As(err, &e) || e.Reason != formats.ReasonAlgorithmNotLoggable || e.Hint != "the remedy") {
					t.Errorf("%s, %s, %s: %v, %v", formats.KeyName(key), s, h, got, err)
				}
			}
		}
	}
	if found != len(want) {
		t.Errorf("%d of %d pairs seen", found, len(want))
	}
	if _, err := KeyDetails(formats.Candidate{SPKI: []byte("x")}); formats.ReasonOf(err) != formats.ReasonMalformedKey {
		t.Errorf("no key: %v", err)
	}
}
