// SPDX-License-Identifier: Apache-2.0

package hashedrekord

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"testing"

	"github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// TestOwnKeyDetails lists what an own log takes beside what Rekor v2 does, and that every other pair is refused with the remedy. What
// Rekor v2 takes has the same name in both.
func TestOwnKeyDetails(t *testing.T) {
	const sha256, sha384, sha512 = formats.SHA256, formats.SHA384, formats.SHA512
	type pair struct {
		key    string
		scheme formats.Scheme
		hash   formats.DigestAlgorithm
	}
	want := map[pair]commonpb.PublicKeyDetails{
		{"ECDSA P-384", formats.ECDSA, sha256}: ecdsaP384SHA256,
		{"ECDSA P-521", formats.ECDSA, sha256}: ecdsaP521SHA256,
		{"Ed25519", formats.Ed25519, sha256}:   commonpb.PublicKeyDetails_PKIX_ED25519,
	}
	for _, key := range []string{"RSA-2048", "RSA-2560", "RSA-3072", "RSA-4096", "RSA-16384"} {
		for _, h := range []formats.DigestAlgorithm{sha256, sha384, sha512} {
			want[pair{key, formats.RSAPKCS1v15, h}] = rsaPKCS1v15
			want[pair{key, formats.RSAPSS, h}] = rsaPSS
		}
	}
	want[pair{"RSA-2048", formats.RSAPSS, sha256}] = commonpb.PublicKeyDetails_PKIX_RSA_PSS_2048_SHA256
	want[pair{"RSA-3072", formats.RSAPSS, sha256}] = commonpb.PublicKeyDetails_PKIX_RSA_PSS_3072_SHA256
	want[pair{"RSA-4096", formats.RSAPSS, sha256}] = commonpb.PublicKeyDetails_PKIX_RSA_PSS_4096_SHA256
	for _, key := range []crypto.PublicKey{
		rsaKey(2047), rsaKey(2048), rsaKey(2560), rsaKey(3072), rsaKey(4096), rsaKey(16384), rsaKey(16385),
		newECDSA(t, elliptic.P224()), newECDSA(t, elliptic.P256()), newECDSA(t, elliptic.P384()), newECDSA(t, elliptic.P521()), newEd25519(t),
	} {
		for _, s := range []formats.Scheme{formats.RSAPKCS1v15, formats.RSAPSS, formats.ECDSA, formats.Ed25519ph, formats.Ed25519, ""} {
			for _, h := range []formats.DigestAlgorithm{sha256, sha384, sha512, formats.BLAKE2b512, ""} {
				c := formats.Candidate{SPKI: encodeSPKI(t, key), Scheme: s, Hash: h, Remedy: "the remedy"}
				details, ok := want[pair{formats.KeyName(key), s, h}]
				if direct, err := KeyDetails(c); err == nil {
					details, ok = direct, true
				}
				if got, err := Own.KeyDetails(c); got != details || ok != (err == nil) {
					t.Errorf("%s, %s, %s: %v, %v; want %v", formats.KeyName(key), s, h, got, err, details)
				}
			}
		}
	}
	for _, list := range []Algorithms{RekorV2, Own} {
		_, err := list.KeyDetails(formats.Candidate{SPKI: encodeSPKI(t, newEd25519(t)), Scheme: formats.Ed25519, Hash: sha512})
		if formats.ReasonOf(err) != formats.ReasonNotProjectable {
			t.Errorf("pure Ed25519 over another digest: %v", err)
		}
	}
}

// TestOwnBodies: bodies of an own log are canonical JSON and read back; where Rekor v2 has one for a record, it is the same, and it reads no others.
func TestOwnBodies(t *testing.T) {
	for i, a := range Own.rows {
		for _, withMessage := range []bool{false, true} {
			r := Record{Digest: bytes.Repeat([]byte{0xfb}, a.size), Signature: []byte{0xff, 0xfe}, SPKI: []byte{0x3e, 0x3f}, KeyDetails: a.details}
			if withMessage {
				r.Message = []byte("<message>&\xff")
				sum := sha256.Sum256(r.Message)
				r.Digest = append(sum[:], r.Digest[sha256.Size:]...)
			}
			body, err := Own.Body(r)
			if withMessage && a.scheme != formats.Ed25519 {
				if err == nil {
					t.Errorf("row %d: a message beside %v", i, a.details)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if want, err := jsoncanonicalizer.Transform(body); err != nil || !bytes.Equal(body, want) {
				t.Errorf("body is %s, canonical is %s: %v", body, want, err)
			}
			again, err := Own.Parse(body)
			if err != nil || !bytes.Equal(again.Message, r.Message) || !bytes.Equal(again.Digest, r.Digest) || again.KeyDetails != r.KeyDetails || again.Kind() != r.Kind() {
				t.Errorf("%s reads back as %+v: %v", body, again, err)
			}
			direct, err := Body(r)
			if known := i < len(RekorV2.rows); known != (err == nil) || known && !bytes.Equal(direct, body) {
				t.Errorf("Rekor v2 has %s, %v", direct, err)
			}
			if _, err := Parse(body); (err == nil) != (i < len(RekorV2.rows)) {
				t.Errorf("as one of Rekor v2: %v", err)
			}
		}
	}
}

// pure returns the record of a pure Ed25519 signature over message, without it, and the key.
func pure(t *testing.T, message string) (Record, ed25519.PrivateKey) {
	t.Helper()
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(message))
	return Record{
		Digest: digest[:], Signature: ed25519.Sign(key, []byte(message)), SPKI: encodeSPKI(t, public), KeyDetails: commonpb.PublicKeyDetails_PKIX_ED25519,
	}, key
}

// TestPureBodies: a message is where it belongs, and what the digest is of.
func TestPureBodies(t *testing.T) {
	bare, _ := pure(t, "message")
	if bare.Kind() != Kind {
		t.Errorf("kind %s", bare.Kind())
	}
	shown := bare
	shown.Message = []byte("message")
	if shown.Kind() != MessageKind {
		t.Errorf("kind %s", shown.Kind())
	}
	for name, change := range map[string]func(*Record){
		"another message":  func(r *Record) { r.Message = []byte("massage") },
		"an empty message": func(r *Record) { r.Message = []byte{} },
		"another digest":   func(r *Record) { r.Digest = make([]byte, 32) },
		"a certificate":    func(r *Record) { r.Certificate = []byte{1} },
		"prehashed":        func(r *Record) { r.KeyDetails, r.Digest = commonpb.PublicKeyDetails_PKIX_ED25519_PH, make([]byte, 64) },
		"over the maximum": func(r *Record) {
			message := make([]byte, MaxBody)
			sum := sha256.Sum256(message)
			r.Message, r.Digest = message, sum[:]
		},
	} {
		r := shown
		change(&r)
		if _, err := Own.Body(r); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestPureVerifies: by its message a record of an own log verifies alone. Without one, it says that the bytes are needed.
func TestPureVerifies(t *testing.T) {
	bare, _ := pure(t, "message")
	if err := Own.Verify(bare, formats.Projection{}); formats.ReasonOf(err) != formats.ReasonNeedsBytes {
		t.Errorf("without a message: %v", err)
	}
	p, err := Own.Projection(bare)
	if err != nil {
		t.Fatal(err)
	}
	known, err := p.CheckMessage([]byte("message"))
	if err != nil {
		t.Fatal(err)
	}
	if err := Own.Verify(bare, known); err != nil {
		t.Errorf("by whoever has verified it: %v", err)
	}
	shown := bare
	shown.Message = []byte("message")
	if err := Own.Verify(shown, formats.Projection{}); err != nil {
		t.Error(err)
	}
	if err := RekorV2.Verify(shown, formats.Projection{}); err == nil {
		t.Error("Rekor v2 takes it")
	}
	other, _ := pure(t, "message")
	for name, change := range map[string]func(*Record){
		"message":   func(r *Record) { r.Message = []byte("another") },
		"digest":    func(r *Record) { r.Digest = make([]byte, 32) },
		"key":       func(r *Record) { r.SPKI = other.SPKI },
		"signature": func(r *Record) { r.Signature = other.Signature },
	} {
		r := shown
		change(&r)
		if err := Own.Verify(r, known); formats.ReasonOf(err) != formats.ReasonSignatureInvalid {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

// TestOwnNames: each signature has one name, and the digest's length has to be that of its hash.
func TestOwnNames(t *testing.T) {
	for name, r := range map[string]Record{
		"RSA-4096 with SHA-256, general":     {SPKI: encodeSPKI(t, rsaKey(4096)), Digest: make([]byte, 32), KeyDetails: rsaPKCS1v15},
		"RSA-2048 PSS, SHA-256, general":     {SPKI: encodeSPKI(t, rsaKey(2048)), Digest: make([]byte, 32), KeyDetails: rsaPSS},
		"RSA-2560 as RSA-2048":               {SPKI: encodeSPKI(t, rsaKey(2560)), Digest: make([]byte, 32), KeyDetails: commonpb.PublicKeyDetails_PKIX_RSA_PKCS1V15_2048_SHA256},
		"RSA-1024":                           {SPKI: encodeSPKI(t, rsaKey(1024)), Digest: make([]byte, 64), KeyDetails: rsaPKCS1v15},
		"P-256 as P-384":                     {SPKI: encodeSPKI(t, newECDSA(t, elliptic.P256())), Digest: make([]byte, 32), KeyDetails: ecdsaP384SHA256},
		"a name that nobody takes":           {SPKI: encodeSPKI(t, rsaKey(2048)), Digest: make([]byte, 32), KeyDetails: commonpb.PublicKeyDetails_ML_DSA_65},
		"RSA-4096 with SHA-512 as SHA-256's": {SPKI: encodeSPKI(t, rsaKey(4096)), Digest: make([]byte, 64), KeyDetails: commonpb.PublicKeyDetails_PKIX_RSA_PKCS1V15_4096_SHA256},
	} {
		r.Signature = []byte{1}
		want := formats.ReasonAlgorithmNotLoggable
		if name == "RSA-4096 with SHA-512 as SHA-256's" {
			want = formats.ReasonSignatureInvalid
		}
		if err := Own.Verify(r, formats.Projection{}); formats.ReasonOf(err) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Own.Body(Record{SPKI: []byte{1}, Signature: []byte{1}, Digest: make([]byte, 20), KeyDetails: rsaPKCS1v15}); err == nil {
		t.Error("a digest of 20 bytes was encoded")
	}
}

// TestFlippedMessageBody: no byte of a record with a message can be another one.
func TestFlippedMessageBody(t *testing.T) {
	r, _ := pure(t, "message")
	r.Message = []byte("message")
	body, err := Own.Body(r)
	if err != nil {
		t.Fatal(err)
	}
	for i := range body {
		bad := bytes.Clone(body)
		bad[i] ^= 1
		got, err := Own.Parse(bad)
		if err == nil && Own.Verify(got, formats.Projection{}) == nil {
			t.Errorf("byte %d: %s", i, bad)
		}
	}
}

func FuzzParseOwn(f *testing.F) {
	f.Add([]byte(`{"apiVersion":"0.0.1","kind":"signedmessage","spec":{"signedMessageV001":{"data":{"algorithm":"SHA2_256","digest":"q1MKE+RZFJjPqP2z9jdIMdpTxc4Mp4ZqGPjqFWJsLc0=","message":"bWVzc2FnZQ=="},"signature":{"content":"AA==","verifier":{"keyDetails":"PKIX_ED25519","publicKey":{"rawBytes":"AA=="}}}}}}`))
	f.Add([]byte(`{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"algorithm":"SHA2_256","digest":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="},"signature":{"content":"AA==","verifier":{"keyDetails":"PKIX_ED25519","publicKey":{"rawBytes":"AA=="}}}}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := Own.Parse(body)
		if err != nil {
			return
		}
		again, err := Own.Body(r)
		if err != nil || !bytes.Equal(again, body) {
			t.Fatalf("Body(Parse(b)) is not b: %v", err)
		}
	})
}
