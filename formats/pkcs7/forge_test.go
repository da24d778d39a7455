// SPDX-License-Identifier: Apache-2.0

package pkcs7_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	encoding "encoding/asn1"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

var (
	data           = []int{1, 2, 840, 113549, 1, 7, 1}
	signedData     = []int{1, 2, 840, 113549, 1, 7, 2}
	contentType    = []int{1, 2, 840, 113549, 1, 9, 3}
	messageDigest  = []int{1, 2, 840, 113549, 1, 9, 4}
	signingTime    = []int{1, 2, 840, 113549, 1, 9, 5}
	algorithms     = []int{1, 2, 840, 113549, 1, 9, 52}
	signingCertV2  = []int{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	signatureToken = []int{1, 2, 840, 113549, 1, 9, 16, 2, 14}
	hashSHA256     = []int{2, 16, 840, 1, 101, 3, 4, 2, 1}
	ecdsaSHA256    = []int{1, 2, 840, 10045, 4, 3, 2}
	ecdsaSHA384    = []int{1, 2, 840, 10045, 4, 3, 3}
)

// value encodes one DER value with the parts as its content.
func value(tag asn1.Tag, parts ...[]byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(tag, func(b *cryptobyte.Builder) {
		for _, p := range parts {
			b.AddBytes(p)
		}
	})
	return b.BytesOrPanic()
}

func sequence(parts ...[]byte) []byte { return value(asn1.SEQUENCE, parts...) }
func set(parts ...[]byte) []byte      { return value(asn1.SET, parts...) }
func octets(b []byte) []byte          { return value(asn1.OCTET_STRING, b) }
func number(n int) []byte             { return value(asn1.INTEGER, []byte{byte(n)}) }

func oid(arcs []int) []byte {
	der, err := encoding.Marshal(encoding.ObjectIdentifier(arcs))
	if err != nil {
		panic(err)
	}
	return der
}

func attribute(id []int, values ...[]byte) []byte { return sequence(oid(id), set(values...)) }

func utcTime(t time.Time) []byte {
	return value(asn1.UTCTime, []byte(t.UTC().Format("060102150405Z")))
}

// forgery is a signature to be made wrong; the zero value of a field leaves it right.
type forgery struct {
	key           *ecdsa.PrivateKey
	certificate   []byte
	version       []byte
	attributes    [][]byte // nil for none
	unsigned      []byte
	algorithm     []int
	parameters    []byte // of algorithm
	digest        []byte // digestAlgorithm
	announced     []byte // digestAlgorithms
	signerVersion []byte
	certificates  [][]byte // in place of the signer's
	signed        []byte   // what is signed, when not the attributes or the artifact
	signers       int
	extra         []byte // certificates beside the signer's
	tail          []byte // inside the SignedData
}

var (
	forgedArtifact = []byte("forged\x00artifact")
	forgedNow      = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
)

// newForgery returns a good signature over forgedArtifact, with the attributes every signer makes.
func newForgery(t testing.TB) *forgery {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &forgery{key: key, version: number(1), algorithm: ecdsaSHA256, signers: 1, signerVersion: number(1),
		digest: sequence(oid(hashSHA256)), announced: sequence(oid(hashSHA256))}
	f.certificate = selfSigned(t, key, 7)
	f.attributes = [][]byte{
		attribute(contentType, oid(data)), attribute(signingTime, utcTime(forgedNow.Add(-time.Hour))),
		attribute(messageDigest, octets(sha256Of(forgedArtifact))),
	}
	return f
}

func selfSigned(t testing.TB, key *ecdsa.PrivateKey, serial int64) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "Forger"},
		NotBefore: forgedNow.AddDate(-1, 0, 0), NotAfter: forgedNow.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func sha256Of(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:]
}

// der signs and encodes.
func (f *forgery) der(t testing.TB) []byte {
	t.Helper()
	content, attributes := forgedArtifact, []byte(nil)
	if f.attributes != nil {
		content = set(f.attributes...)
		attributes = value(asn1.Tag(0).ContextSpecific().Constructed(), f.attributes...)
	}
	if f.signed != nil {
		content = f.signed
	}
	signature, err := ecdsa.SignASN1(rand.Reader, f.key, sha256Of(content))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(f.certificate)
	if err != nil {
		t.Fatal(err)
	}
	serial, _ := encoding.Marshal(parsed.SerialNumber)
	signer := sequence(f.signerVersion, sequence(parsed.RawIssuer, serial), f.digest,
		attributes, sequence(oid(f.algorithm), f.parameters), octets(signature), f.unsigned)
	certificates := f.certificate
	if f.certificates != nil {
		certificates = bytes.Join(f.certificates, nil)
	}
	explicit := asn1.Tag(0).ContextSpecific().Constructed()
	return sequence(oid(signedData), value(explicit, sequence(f.version, set(f.announced), sequence(oid(data)),
		value(explicit, certificates, f.extra), set(bytes.Repeat(signer, f.signers)), f.tail)))
}

// ed25519 signs as f does, with a new Ed25519 key and no attributes.
func (f *forgery) ed25519(t testing.TB, serial int64) []byte {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(100 + serial), Subject: pkix.Name{CommonName: "Forger"},
		NotBefore: forgedNow.AddDate(-1, 0, 0), NotAfter: forgedNow.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, pub, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(certificate)
	if err != nil {
		t.Fatal(err)
	}
	number, _ := encoding.Marshal(parsed.SerialNumber)
	hash := sequence(oid([]int{2, 16, 840, 1, 101, 3, 4, 2, 3}))
	signer := sequence([]byte{2, 1, 1}, sequence(parsed.RawIssuer, number), hash, sequence(oid([]int{1, 3, 101, 112})), octets(ed25519.Sign(key, forgedArtifact)))
	explicit := asn1.Tag(0).ContextSpecific().Constructed()
	return sequence(oid(signedData), value(explicit, sequence([]byte{2, 1, 1}, set(hash), sequence(oid(data)), value(explicit, certificate), set(signer))))
}

func (f *forgery) policy() formats.Policy { return formats.Policy{Now: forgedNow} }
