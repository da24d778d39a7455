// SPDX-License-Identifier: Apache-2.0

package keyfile_test

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	encoding "encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
	"github.com/rekor-gateway/rekor-gateway/formats/keyfile"
)

// kind returns a file of what OpenSSL made for formats/pkcs7, and its DER.
func kind(t testing.TB, name string) (text, der []byte) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "pkcs7", "testdata", "kinds", name))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	return text, block.Bytes
}

// A certificate with a key in a form that crypto/x509 does not read is read with all that is signed as it was.
func TestRewrittenCertificates(t *testing.T) {
	for _, name := range []string{"compressed", "hybrid", "explicit", "pss", "pss-sha256"} {
		text, der := kind(t, name+"-cert.pem")
		if c, err := x509.ParseCertificate(der); err == nil && c.PublicKey != nil {
			t.Errorf("%s: crypto/x509 reads it", name)
		}
		c, err := keyfile.ParseCertificate(der)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(c.Raw, der) || !bytes.Contains(der, c.RawTBSCertificate) || !bytes.Contains(der, c.RawSubjectPublicKeyInfo) {
			t.Errorf("%s: not its own bytes", name)
		}
		if err := c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil && name != "pss" { // its salt is longer than crypto/x509 takes
			t.Errorf("%s: its own signature: %v", name, err)
		}
		k := must(keyfile.Read(meter(t), text))
		if !bytes.Equal(k.SPKI, must(x509.MarshalPKIXPublicKey(k.Public))) || !bytes.Equal(must(keyfile.Read(meter(t), der)).SPKI, k.SPKI) {
			t.Errorf("%s: another identity", name)
		}
	}
}

func TestUnsupportedCertificates(t *testing.T) {
	for name, what := range map[string]string{
		"brainpool": "brainpoolP256r1", "secp256k1": "secp256k1", "explicit-brainpool": "parameters of its own", "ed448": "Ed448",
		"exponent-4294967297": "exponent", "exponent-18446744073709551617": "exponent",
	} {
		text, der := kind(t, name+"-cert.pem")
		for _, data := range [][]byte{text, der} {
			_, err := keyfile.Read(meter(t), data)
			if formats.ReasonOf(err) != formats.ReasonUnsupportedAlgorithm || !strings.Contains(err.Error(), what) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// An RSA-PSS key signs by RSA-PSS alone, as its parameters say, and keeps that when it is written and read again.
func TestPSSKeys(t *testing.T) {
	for name, c := range map[string]struct{ v15, sha384, short, good bool }{
		"pss-key.pem": {false, true, true, true}, "pss-cert.pem": {false, true, true, true},
		"pss-sha256-key.pem": {false, false, false, true}, "pss-sha256-cert.pem": {false, false, false, true},
		"exponent-2147483647-cert.pem": {true, true, true, true},
	} {
		text, _ := kind(t, name)
		k := must(keyfile.Read(meter(t), must(keyfile.Read(meter(t), text)).PEM()))
		if _, ok := k.Public.(*rsa.PublicKey); !ok {
			t.Fatalf("%s: a %T", name, k.Public)
		}
		for what, got := range map[string]struct {
			err  error
			want bool
		}{
			"PKCS #1 v1.5": {k.CheckRSA(false, crypto.SHA256, 0), c.v15},
			"SHA-384":      {k.CheckRSA(true, crypto.SHA384, 48), c.sha384},
			"short salt":   {k.CheckRSA(true, crypto.SHA256, 20), c.short},
			"SHA-256":      {k.CheckRSA(true, crypto.SHA256, 32), c.good},
		} {
			if (got.err == nil) != got.want || got.err != nil && formats.ReasonOf(got.err) != formats.ReasonKeyNotValid {
				t.Errorf("%s: %s: %v", name, what, got.err)
			}
		}
	}
}

// Parameters of a known curve with one number changed are no known curve: whoever chooses the base point can sign for any key.
func TestExplicitParametersAllCount(t *testing.T) {
	_, der := kind(t, "explicit-cert.pem")
	p := elliptic.P256().Params()
	a := new(big.Int).Sub(p.P, big.NewInt(3))
	for name, number := range map[string]*big.Int{"prime": p.P, "a": a, "b": p.B, "base, x": p.Gx, "base, y": p.Gy, "order": p.N} {
		raw := number.FillBytes(make([]byte, 32))
		at := bytes.Index(der, raw)
		if at < 0 {
			t.Fatalf("%s is not there", name)
		}
		changed := bytes.Clone(der)
		changed[at+31] ^= 4
		if _, err := keyfile.Read(meter(t), changed); err == nil {
			t.Errorf("accepted with another %s", name)
		}
	}
}

func TestNegativeSerial(t *testing.T) {
	_, der := kind(t, "critical-cert.pem")
	o, _ := keyfile.ReadOutline(der)
	serial := must(encoding.Marshal(o.Serial))
	changed := bytes.Replace(der, serial, append([]byte{serial[0], serial[1], serial[2] | 0x80}, serial[3:]...), 1)
	_, err := keyfile.ParseCertificate(changed)
	if formats.ReasonOf(err) != formats.ReasonMalformedKey || !strings.Contains(err.Error(), "serial") {
		t.Error(err)
	}
}

// FuzzParseCertificate: no certificate beside an error; what is read has the bytes it was read from, the outline is
// that of crypto/x509, and the key is one that logs can read; work in proportion to the input.
func FuzzParseCertificate(f *testing.F) {
	for _, name := range []string{"brainpool", "compressed", "hybrid", "explicit", "pss", "pss-sha256", "ed448", "critical", "exponent-4294967297"} {
		_, der := kind(f, name+"-cert.pem")
		f.Add(der)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		ctx, check := formatstest.CheckWork(t, der)
		defer check()
		c, err := keyfile.ParseCertificate(der)
		if err != nil {
			if c != nil || formats.ReasonOf(err) == "" {
				t.Errorf("a certificate beside an error, or an untyped one: %v", err)
			}
			return
		}
		o, ok := keyfile.ReadOutline(der)
		if !ok || o.Serial.Cmp(c.SerialNumber) != 0 || !bytes.Equal(o.Issuer, c.RawIssuer) || !bytes.Equal(c.Raw, der) {
			t.Error("another outline")
		}
		if len(c.SubjectKeyId) > 0 && !bytes.Equal(o.SubjectKey, c.SubjectKeyId) {
			t.Errorf("subject key %x, outline says %x", c.SubjectKeyId, o.SubjectKey)
		}
		m := must(formats.StartWork(ctx, ""))
		if k, err := keyfile.Read(m, der); err == nil {
			if _, err := x509.ParsePKIXPublicKey(k.SPKI); err != nil {
				t.Error(err)
			}
		}
	})
}
