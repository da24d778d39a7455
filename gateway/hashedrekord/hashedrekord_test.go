// SPDX-License-Identifier: Apache-2.0

package hashedrekord

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekorpb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	upstream "github.com/sigstore/rekor-tiles/v2/pkg/types/hashedrekord"
)

func sample(t *testing.T, withCert bool) Record {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	digest := bytes.Repeat([]byte{7}, 32)
	sig, err := ecdsa.SignASN1(rand.Reader, key, digest)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	r := Record{Digest: digest, Signature: sig, SPKI: spki, KeyDetails: commonpb.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256}
	if withCert {
		tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a<b&c"}, NotAfter: time.Now().Add(time.Hour)}
		if r.Certificate, err = x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// The leaf must be the one the real server's own package makes.
func TestBodyIsTheServersLeaf(t *testing.T) {
	for _, withCert := range []bool{false, true} {
		r := sample(t, withCert)
		v := &rekorpb.Verifier{KeyDetails: r.KeyDetails, Verifier: &rekorpb.Verifier_PublicKey{PublicKey: &rekorpb.PublicKey{RawBytes: r.SPKI}}}
		if withCert {
			v.Verifier = &rekorpb.Verifier_X509Certificate{X509Certificate: &commonpb.X509Certificate{RawBytes: r.Certificate}}
		}
		want, err := upstream.ToEntryHash(r.Digest, &rekorpb.Signature{Content: r.Signature, Verifier: v})
		if err != nil {
			t.Fatal(err)
		}
		body, err := Body(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := LeafHash(body); !bytes.Equal(got[:], want) {
			t.Errorf("certificate %v: other leaf than the server's; body %s", withCert, body)
		}
	}
}

// TestBodyIsCanonical: the encoding is that of RFC 8785, whatever the bytes are.
func TestBodyIsCanonical(t *testing.T) {
	for _, a := range RekorV2.rows {
		for i := range 64 {
			r := Record{
				Digest: bytes.Repeat([]byte{byte(255 - i)}, a.size), Signature: bytes.Repeat([]byte{byte(i), 0xfb, 0xff}, i+1), SPKI: []byte{byte(i * 4), 0x3e, 0x3f},
				KeyDetails: a.details,
			}
			if i%2 == 1 {
				r.Certificate = r.Signature
			}
			body, err := Body(r)
			if err != nil {
				t.Fatal(err)
			}
			if want, err := jsoncanonicalizer.Transform(body); err != nil || !bytes.Equal(body, want) {
				t.Fatalf("body is %s, canonical is %s: %v", body, want, err)
			}
		}
	}
}

func TestBodyRefuses(t *testing.T) {
	good := sample(t, false)
	for name, change := range map[string]func(*Record){
		"no signature":     func(r *Record) { r.Signature = nil },
		"no key":           func(r *Record) { r.SPKI = nil },
		"short digest":     func(r *Record) { r.Digest = r.Digest[1:] },
		"pure Ed25519":     func(r *Record) { r.KeyDetails = commonpb.PublicKeyDetails_PKIX_ED25519 },
		"over the maximum": func(r *Record) { r.Signature = make([]byte, MaxBody) },
	} {
		r := good
		change(&r)
		if _, err := Body(r); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"algorithm":"SHA2_256","digest":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="},"signature":{"content":"AA==","verifier":{"keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":{"rawBytes":"AA=="}}}}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := Parse(body)
		if err != nil {
			return
		}
		again, err := Body(r)
		if err != nil || !bytes.Equal(again, body) {
			t.Fatalf("Body(Parse(b)) is not b: %v", err)
		}
	})
}
