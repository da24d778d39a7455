// SPDX-License-Identifier: Apache-2.0

package rekorv2_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"testing"
	"time"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekortilespb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// upstream returns what the real server would log of r.
func upstream(r hashedrekord.Record) ([]byte, error) {
	v := &rekortilespb.Verifier{KeyDetails: r.KeyDetails, Verifier: &rekortilespb.Verifier_PublicKey{
		PublicKey: &rekortilespb.PublicKey{RawBytes: r.SPKI},
	}}
	if len(r.Certificate) > 0 {
		v.Verifier = &rekortilespb.Verifier_X509Certificate{X509Certificate: &commonpb.X509Certificate{RawBytes: r.Certificate}}
	}
	return rekortest.Canonicalize(&rekortilespb.HashedRekordRequestV002{
		Digest: r.Digest, Signature: &rekortilespb.Signature{Content: r.Signature, Verifier: v},
	})
}

// certify returns a certificate for the signer's key, with padding to make it large.
func certify(t *testing.T, key crypto.Signer, padding int) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "release"},
		NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
		ExtraExtensions: []pkix.Extension{{Id: []int{1, 2, 3, 4}, Value: make([]byte, padding)}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func changed(r hashedrekord.Record, change func(*hashedrekord.Record)) hashedrekord.Record {
	change(&r)
	return r
}

// TestPrepare checks every record against the upstream server's own code: what Prepare takes,
// that logs with the same body.
func TestPrepare(t *testing.T) {
	p256, rsa2048, ed := rekortest.NewECDSASigner(t), rekortest.NewRSASigner(t), rekortest.NewEd25519phSigner(t)
	good := p256.Record("artifact")
	tests := map[string]struct {
		record hashedrekord.Record
		want   formats.Reason // "" is accepted
	}{
		"ecdsa":     {good, ""},
		"rsa":       {rsa2048.Record("artifact"), ""},
		"ed25519ph": {ed.Record("artifact"), ""},
		"certificate": {changed(good, func(r *hashedrekord.Record) {
			r.Certificate = certify(t, p256.Key(), 0)
		}), ""},
		"large certificate": {changed(good, func(r *hashedrekord.Record) {
			r.Certificate = certify(t, p256.Key(), 40_000)
		}), ""},
		"too large certificate": {changed(good, func(r *hashedrekord.Record) {
			r.Certificate = certify(t, p256.Key(), 50_000)
		}), formats.ReasonTooLarge},
		"certificate of another key": {changed(good, func(r *hashedrekord.Record) {
			r.Certificate = certify(t, rsa2048.Key(), 0)
		}), formats.ReasonKeyMismatch},
		"certificate with a tail": {changed(good, func(r *hashedrekord.Record) {
			r.Certificate = append(certify(t, p256.Key(), 0), 0)
		}), formats.ReasonMalformedKey},
		"pure ed25519": {pureEd25519(t, ed), formats.ReasonAlgorithmNotLoggable},
		"pure ed25519 as ph": {changed(pureEd25519(t, ed), func(r *hashedrekord.Record) {
			r.KeyDetails = commonpb.PublicKeyDetails_PKIX_ED25519_PH
		}), formats.ReasonSignatureInvalid},
		"no key details": {changed(good, func(r *hashedrekord.Record) { r.KeyDetails = 0 }), formats.ReasonAlgorithmNotLoggable},
		"other key details": {changed(good, func(r *hashedrekord.Record) {
			r.KeyDetails = commonpb.PublicKeyDetails_PKIX_RSA_PKCS1V15_2048_SHA256
		}), formats.ReasonAlgorithmNotLoggable},
		"other key size": {changed(rsa2048.Record("artifact"), func(r *hashedrekord.Record) {
			r.KeyDetails = commonpb.PublicKeyDetails_PKIX_RSA_PKCS1V15_4096_SHA256
		}), formats.ReasonAlgorithmNotLoggable},
		"rsa-pss details": {changed(rsa2048.Record("artifact"), func(r *hashedrekord.Record) {
			r.KeyDetails = commonpb.PublicKeyDetails_PKIX_RSA_PSS_2048_SHA256
		}), formats.ReasonAlgorithmNotLoggable},
		"short digest":         {changed(good, func(r *hashedrekord.Record) { r.Digest = r.Digest[:20] }), formats.ReasonSignatureInvalid},
		"no digest":            {changed(good, func(r *hashedrekord.Record) { r.Digest = nil }), formats.ReasonSignatureInvalid},
		"another digest":       {changed(good, func(r *hashedrekord.Record) { r.Digest = make([]byte, 32) }), formats.ReasonSignatureInvalid},
		"no signature":         {changed(good, func(r *hashedrekord.Record) { r.Signature = nil }), formats.ReasonSignatureInvalid},
		"other signature":      {changed(good, func(r *hashedrekord.Record) { r.Signature = p256.Record("other").Signature }), formats.ReasonSignatureInvalid},
		"raw r and s":          {rawECDSA(t), formats.ReasonSignatureInvalid},
		"no key":               {changed(good, func(r *hashedrekord.Record) { r.SPKI = nil }), formats.ReasonMalformedKey},
		"key with a tail":      {changed(good, func(r *hashedrekord.Record) { r.SPKI = append(slices.Clone(r.SPKI), 0) }), formats.ReasonMalformedKey},
		"key with more inside": {changed(good, func(r *hashedrekord.Record) { r.SPKI = stuffed(t, r.SPKI) }), formats.ReasonMalformedKey},
		"rsa 1024":             {rsa1024(t), formats.ReasonAlgorithmNotLoggable},
	}
	l := open(t, config(rekortest.StartFake(t)), new(rekortest.Checkpoints))
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := l.PrepareRecord(test.record)
			var refusal *formats.Error
			if err != nil && (!errors.As(err, &refusal) || got.Body != nil) {
				t.Fatalf("%v beside %v", got, err)
			}
			if formats.ReasonOf(err) != test.want {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			if err != nil {
				return
			}
			body, err := upstream(test.record)
			if err != nil || !bytes.Equal(body, got.Body) {
				t.Errorf("upstream would log %s (%v), not %s", body, err, got.Body)
			}
			if got.Log != "test" || got.LeafHash != hashedrekord.LeafHash(body) {
				t.Errorf("log %s, leaf %x", got.Log, got.LeafHash)
			}
		})
	}
}

// stuffed returns the same key with one more element inside, which Go's parser ignores.
func stuffed(t *testing.T, spki []byte) []byte {
	t.Helper()
	var key struct{ Algorithm, Key asn1.RawValue }
	if _, err := asn1.Unmarshal(spki, &key); err != nil {
		t.Fatal(err)
	}
	der, err := asn1.Marshal(struct{ Algorithm, Key, More asn1.RawValue }{key.Algorithm, key.Key, asn1.NullRawValue})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x509.ParsePKIXPublicKey(der); err != nil {
		t.Fatalf("Go's parser is stricter now: %v", err)
	}
	return der
}

func pureEd25519(t *testing.T, signer *rekortest.Signer) hashedrekord.Record {
	r := signer.Record("artifact")
	signature, err := signer.Key().Sign(rand.Reader, r.Digest, crypto.Hash(0))
	if err != nil {
		t.Fatal(err)
	}
	r.Signature, r.KeyDetails = signature, commonpb.PublicKeyDetails_PKIX_ED25519
	return r
}

// rawECDSA has a signature that upstream takes, but that is in no one canonical form.
func rawECDSA(t *testing.T) hashedrekord.Record {
	signer := rekortest.NewECDSASigner(t)
	r := signer.Record("artifact")
	x, y, err := ecdsa.Sign(rand.Reader, signer.Key().(*ecdsa.PrivateKey), r.Digest)
	if err != nil {
		t.Fatal(err)
	}
	r.Signature = append(x.FillBytes(make([]byte, 32)), y.FillBytes(make([]byte, 32))...)
	return r
}

func rsa1024(t *testing.T) hashedrekord.Record {
	t.Setenv("GODEBUG", "rsa1024min=0")
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	r := rekortest.NewECDSASigner(t).Record("artifact")
	if r.Signature, err = key.Sign(rand.Reader, r.Digest, crypto.SHA256); err != nil {
		t.Fatal(err)
	}
	if r.SPKI, err = x509.MarshalPKIXPublicKey(key.Public()); err != nil {
		t.Fatal(err)
	}
	r.KeyDetails = commonpb.PublicKeyDetails_PKIX_RSA_PKCS1V15_2048_SHA256
	return r
}

func TestAccepts(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		key    crypto.Signer
		scheme formats.Scheme
		hash   formats.DigestAlgorithm
		want   formats.Reason
	}{
		"P-384 with SHA-384": {p384, formats.ECDSA, formats.SHA384, ""},
		"P-384 with SHA-256": {p384, formats.ECDSA, formats.SHA256, formats.ReasonAlgorithmNotLoggable},
		"Ed25519ph":          {ed, formats.Ed25519ph, formats.SHA512, ""},
		"Ed25519ph, SHA-256": {ed, formats.Ed25519ph, formats.SHA256, formats.ReasonAlgorithmNotLoggable},
		"scheme of another":  {ed, formats.ECDSA, formats.SHA512, formats.ReasonAlgorithmNotLoggable},
	}
	l := open(t, config(rekortest.StartFake(t)), new(rekortest.Checkpoints))
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			spki, err := x509.MarshalPKIXPublicKey(test.key.Public())
			if err != nil {
				t.Fatal(err)
			}
			c := formats.Candidate{SPKI: spki, Scheme: test.scheme, Hash: test.hash, Remedy: "sign otherwise"}
			err = l.Accepts(gateway.Offer{Projection: &formats.Projection{Candidate: c}})
			if formats.ReasonOf(err) != test.want || (err == nil) != (test.want == "") {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			var refusal *formats.Error
			if errors.As(err, &refusal) && refusal.Hint != c.Remedy {
				t.Errorf("hint %q", refusal.Hint)
			}
			c.SPKI = append(spki, 0)
			if err := l.Accepts(gateway.Offer{Projection: &formats.Projection{Candidate: c}}); formats.ReasonOf(err) != formats.ReasonMalformedKey {
				t.Errorf("key with a tail: %v", err)
			}
		})
	}
}
