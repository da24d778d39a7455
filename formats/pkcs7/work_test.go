// SPDX-License-Identifier: Apache-2.0

package pkcs7_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest/cmsedit"
	"github.com/rekor-gateway/rekor-gateway/formats/pkcs7"
)

// crossSigned returns n certificates of one name, all of which could have issued each other and the forger's.
func crossSigned(t *testing.T, f *forgery, n int) []byte {
	t.Helper()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Forger"}, NotBefore: forgedNow.AddDate(-1, 0, 0), NotAfter: forgedNow.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	var out []byte
	for i := range n {
		key, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template.SerialNumber = big.NewInt(int64(100 + i))
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), f.key)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, der...)
	}
	return out
}

// TestHostileWork: what is made to take long does not, and stops.
func TestHostileWork(t *testing.T) {
	chained := newForgery(t)
	chained.extra = crossSigned(t, chained, 60)
	rooted := chained.policy()
	rooted.Roots = x509.NewCertPool()
	rooted.Roots.AddCert(certificate(t, "issuer-cert.pem"))

	var crowd [][]byte
	for range formats.MaxSignatures {
		crowd = append(crowd, chained.der(t))
	}
	crowded := cmsedit.Merge(crowd[0], cmsedit.DropCertificates(crowd[1]))
	for _, der := range crowd[2:] {
		crowded = cmsedit.Merge(crowded, cmsedit.DropCertificates(der))
	}

	prefix := newForgery(t).der(t)[:4] // a SEQUENCE
	pieces := slicesOf("\x24\x80", "\x04\x01a", "\x00\x00", 1<<20)
	nested := bytes.Repeat([]byte{0x30, 0x80}, 40)
	nested = append(nested, bytes.Repeat([]byte{0x05, 0x00}, 2<<20-200)...)
	nested = append(nested, bytes.Repeat([]byte{0, 0}, 40)...)
	boundary := strings.Repeat("b", 3900)
	mime := "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=\"" + boundary + "\"\n\n" +
		strings.Repeat("\n", 4<<20-5000)
	fields := "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=\"b\"\n\n--b\n\nx\n--b\n" +
		"Content-Type: application/pkcs7-signature" + strings.Repeat("; a*0=b", 500<<10) + "\n\n\n--b--\n"
	for name, v := range map[string]formatstest.Vector{
		"certificates and paths": {Signature: chained.der(t), Artifact: forgedArtifact, Policy: rooted},
		"signers and paths":      {Signature: crowded, Artifact: forgedArtifact, Policy: rooted},
		"signers":                {Signature: crowded, Artifact: forgedArtifact, Policy: chained.policy()},
		"octets in pieces":       {Signature: pieces, Policy: chained.policy()},
		"nested":                 {Signature: nested, Policy: chained.policy()},
		"cut short":              {Signature: append(prefix, nested...), Policy: chained.policy()},
		"long boundary":          {Signature: []byte(mime), Policy: chained.policy()},
		"many parameters":        {Signature: []byte(fields), Policy: chained.policy()},
	} {
		t.Run(name, func(t *testing.T) { _ = formatstest.CheckHostile(t, pkcs7.New(), v) })
	}
}

// slicesOf is n times middle between first and last.
func slicesOf(first, middle, last string, n int) []byte {
	return []byte(first + strings.Repeat(middle, n) + last)
}
