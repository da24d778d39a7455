// SPDX-License-Identifier: Apache-2.0

package x509_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	stdx509 "crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
	"github.com/rekor-gateway/rekor-gateway/formats/x509"
)

// chain returns n certificates, each issued by the next, and the key of the first. All have the same name, so that
// every one could be any other's issuer.
func chain(t *testing.T, n int) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	keys := make([]*ecdsa.PrivateKey, n)
	for i := range keys {
		key, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = key
	}
	var out []byte
	for i, key := range keys {
		issuer := keys[min(i+1, n-1)]
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certify(t, int64(i+1), key.Public(), issuer)})...)
	}
	return out, keys[0]
}

func certify(t *testing.T, serial int64, pub crypto.PublicKey, issuer crypto.Signer) []byte {
	t.Helper()
	now := strict(t).Now
	template := &stdx509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "the same"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), KeyUsage: stdx509.KeyUsageCertSign | stdx509.KeyUsageDigitalSignature,
	}
	der, err := stdx509.CreateCertificate(rand.Reader, template, template, pub, issuer)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// largeRSA is a key of the largest size and exponent that are taken; nobody has the private one.
func largeRSA(i int) *rsa.PublicKey {
	n := new(big.Int).Lsh(big.NewInt(1), 16384)
	return &rsa.PublicKey{N: n.Sub(n, big.NewInt(int64(2*i+1))), E: 1<<31 - 1}
}

// TestHostileWork: what is made to take long does not, and stops.
func TestHostileWork(t *testing.T) {
	artifact := file(t, "artifact.bin")
	certificates, key := chain(t, 16)
	sum := crypto.SHA512.New()
	sum.Write(artifact)
	sig, err := key.Sign(rand.Reader, sum.Sum(nil), crypto.SHA512)
	if err != nil {
		t.Fatal(err)
	}
	rooted := strict(t)
	rooted.Roots = stdx509.NewCertPool()
	rooted.Roots.AddCert(certificate(t, "issuer-cert.pem"))
	var large [][]byte
	for i := range 15 {
		der := certify(t, 1, largeRSA(i), key)
		large = append(large, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	spaces := append(bytes.Repeat([]byte("\n"), 4<<20-1<<10), file(t, "p256.pem")...)
	for name, v := range map[string]formatstest.Vector{
		"chains in 16 copies":     {Signature: sig, Keys: slices.Repeat([][]byte{certificates}, 16), Policy: strict(t)},
		"chain without a root":    {Signature: sig, Keys: [][]byte{certificates}, Policy: rooted},
		"large keys":              {Signature: bytes.Repeat([]byte{1}, 2048), Keys: large, Policy: strict(t)},
		"large keys and a root":   {Signature: bytes.Repeat([]byte{1}, 2048), Keys: [][]byte{slices.Concat(large...)}, Policy: rooted},
		"white space":             {Signature: sig, Keys: slices.Repeat([][]byte{spaces}, 16), Policy: strict(t)},
		"signature all base64":    {Signature: bytes.Repeat([]byte("QUFB\n"), 800<<10), Keys: slices.Repeat([][]byte{certificates}, 16), Policy: strict(t)},
		"key file of begin lines": {Signature: sig, Keys: slices.Repeat([][]byte{bytes.Repeat([]byte("-----BEGIN X-----\n"), 200<<10)}, 16), Policy: strict(t)},
	} {
		v.Artifact = artifact
		t.Run(name, func(t *testing.T) { _ = formatstest.CheckHostile(t, x509.New(), v) })
	}
}
