// SPDX-License-Identifier: Apache-2.0

package keyfile_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
	"github.com/rekor-gateway/rekor-gateway/formats/keyfile"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func meter(t testing.TB) *formats.Meter {
	t.Helper()
	m, err := formats.StartWork(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func block(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

// Every way of writing one key reads as the same key, and PEM reads back.
func TestOneKeyOneIdentity(t *testing.T) {
	pub := &must(rsa.GenerateKey(rand.Reader, 2048)).PublicKey
	spki, pkcs1 := must(x509.MarshalPKIXPublicKey(pub)), x509.MarshalPKCS1PublicKey(pub)
	for _, data := range [][]byte{spki, pkcs1, block("PUBLIC KEY", spki), block("RSA PUBLIC KEY", pkcs1)} {
		ctx, check := formatstest.CheckWork(t, data)
		m, err := formats.StartWork(ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		k, err := keyfile.Read(m, data)
		check()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(k.SPKI, spki) {
			t.Error("another identity")
		}
		if again, err := keyfile.Read(meter(t), k.PEM()); err != nil || !bytes.Equal(again.SPKI, spki) {
			t.Errorf("PEM does not read back: %v", err)
		}
	}
}

func TestPrivateKeys(t *testing.T) {
	ec, r := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), must(rsa.GenerateKey(rand.Reader, 2048))
	sec1, pkcs8 := must(x509.MarshalECPrivateKey(ec)), must(x509.MarshalPKCS8PrivateKey(ec))
	pkcs1 := x509.MarshalPKCS1PrivateKey(r)
	public := block("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(ec.Public())))
	for name, data := range map[string][]byte{
		"SEC 1": sec1, "PKCS #8": pkcs8, "PKCS #1": pkcs1,
		"SEC 1 of an unknown curve": {0x30, 0x06, 0x02, 0x01, 0x01, 0x04, 0x01, 0x2a},
		"DSA, traditional":          must(asn1.Marshal([]int{0, 23, 11, 4, 9, 7})),
		"PuTTY":                     []byte("PuTTY-User-Key-File-3: ssh-rsa\r\n"),
		"PEM":                       block("PRIVATE KEY", pkcs8), "PEM after a public key": append(public, block("EC PRIVATE KEY", sec1)...),
		"damaged PEM": []byte("-----BEGIN RSA PRIVATE KEY-----\nMII"), "OpenSSH": block("OPENSSH PRIVATE KEY", []byte("x")),
		"PGP": []byte("-----BEGIN PGP PRIVATE KEY BLOCK-----\n"),
	} {
		if _, err := keyfile.Read(meter(t), data); formats.ReasonOf(err) != formats.ReasonSecretKey {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStrength(t *testing.T) {
	odd := func(bits int) *big.Int { return new(big.Int).SetBit(big.NewInt(1), bits-1, 1) }
	smallOrder := make(ed25519.PublicKey, ed25519.PublicKeySize) // y = 0: order 4
	for name, c := range map[string]struct {
		key  any
		want formats.Reason
	}{
		"RSA-2048":            {&rsa.PublicKey{N: odd(2048), E: 65537}, ""},
		"RSA-2047":            {&rsa.PublicKey{N: odd(2047), E: 65537}, formats.ReasonWeakAlgorithm},
		"RSA, exponent 1":     {&rsa.PublicKey{N: odd(2048), E: 1}, formats.ReasonWeakAlgorithm},
		"RSA, even modulus":   {&rsa.PublicKey{N: new(big.Int).Lsh(odd(2047), 1), E: 3}, formats.ReasonWeakAlgorithm},
		"RSA-20000":           {&rsa.PublicKey{N: odd(20000), E: 65537}, formats.ReasonUnsupportedAlgorithm},
		"Ed25519 small order": {smallOrder, formats.ReasonWeakAlgorithm},
		"Ed25519 no point":    {ed25519.PublicKey(bytes.Repeat([]byte{2}, 31)), formats.ReasonMalformedKey},
		"nothing":             {nil, formats.ReasonUnsupportedAlgorithm},
	} {
		if got := formats.ReasonOf(keyfile.CheckStrength(c.key)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// FuzzRead: no panic, no key beside an error, every refusal typed; what is read reads back from PEM; work in
// proportion to the input.
func FuzzRead(f *testing.F) {
	pub := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)).Public()
	spki := must(x509.MarshalPKIXPublicKey(pub))
	f.Add(spki)
	f.Add(block("PUBLIC KEY", spki))
	for _, name := range []string{"p256.p7b", "p256-backwards.p7c", "p256.jwk", "p256.jwks", "p256-openssh.pub", "p256-explicit-hybrid.pem", "pss384-pkix.pem", "p256-bag.pem", "chain-sha1.pem"} {
		seed, err := os.ReadFile(filepath.Join("..", "x509", "testdata", "containers", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := keyfile.Read(meter(t), data)
		if err != nil {
			if k.Public != nil || len(k.SPKI) > 0 || formats.ReasonOf(err) == "" {
				t.Errorf("a key beside an error, or an untyped one: %v", err)
			}
			return
		}
		again, err := keyfile.Read(meter(t), k.PEM())
		if err != nil || !bytes.Equal(again.SPKI, k.SPKI) || !bytes.Equal(again.PEM(), k.PEM()) {
			t.Errorf("does not read back: %v", err)
		}
	})
}

// A chain is held together by names as well as by signatures.
func TestChainNames(t *testing.T) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	certify := func(name string) *x509.Certificate {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		}
		return must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))))
	}
	root, renamed := certify("root"), certify("another root") // of one key
	leafKey := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	leaf := must(x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "leaf"}, NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}, root, &leafKey.PublicKey, key))
	for issuer, want := range map[*x509.Certificate]formats.Reason{root: "", renamed: formats.ReasonMalformedKey} {
		_, err := keyfile.Read(meter(t), append(block("CERTIFICATE", leaf), block("CERTIFICATE", issuer.Raw)...))
		if formats.ReasonOf(err) != want || (err == nil) != (want == "") {
			t.Errorf("issuer %s: %v, want %q", issuer.Subject, err, want)
		}
	}
}

// TestDamagedKeys: what is wrong with a key of a supported kind is that it is damaged, not its kind.
func TestDamagedKeys(t *testing.T) {
	p256 := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	rsa2048 := must(rsa.GenerateKey(rand.Reader, 2048))
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	damage := func(public any, at int) []byte {
		der := must(x509.MarshalPKIXPublicKey(public))
		der[len(der)-at] ^= 1
		return der
	}
	short := must(x509.MarshalPKIXPublicKey(edwards))
	short = short[:len(short)-1]
	short[1]--  // SEQUENCE
	short[10]-- // BIT STRING
	for name, der := range map[string][]byte{
		"point that is not on its curve":  damage(&p256.PublicKey, 1),
		"modulus that is no INTEGER":      damage(&rsa2048.PublicKey, 4+257+5),
		"Ed25519 key of 31 bytes":         short,
		"in PEM: point not on its curve":  pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: damage(&p256.PublicKey, 1)}),
		"in PEM: Ed25519 key of 31 bytes": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: short}),
	} {
		if _, err := keyfile.Read(meter(t), der); formats.ReasonOf(err) != formats.ReasonMalformedKey {
			t.Errorf("%s: %v", name, err)
		}
	}
}
