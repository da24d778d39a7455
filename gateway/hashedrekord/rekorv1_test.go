// SPDX-License-Identifier: Apache-2.0

package hashedrekord

import (
	"bytes"
	"crypto/elliptic"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// TestV1Bodies: bodies of Rekor v1 are canonical JSON and read back, key details included, though nothing in them names those; they are none of
// Rekor v2's, nor the other way round.
func TestV1Bodies(t *testing.T) {
	for _, c := range []struct {
		key  any
		hash formats.DigestAlgorithm
		size int
	}{
		{rsaKey(2048), formats.SHA256, 32}, {rsaKey(3072), formats.SHA256, 32},
		{newECDSA(t, elliptic.P256()), formats.SHA256, 32}, {newECDSA(t, elliptic.P384()), formats.SHA384, 48}, {newECDSA(t, elliptic.P521()), formats.SHA512, 64},
		{newEd25519(t), formats.SHA512, 64},
	} {
		r := Record{Digest: bytes.Repeat([]byte{0xfb}, c.size), Signature: []byte{0xff, 0xfe, 0xfb}, SPKI: encodeSPKI(t, c.key)}
		scheme := map[bool]formats.Scheme{true: formats.RSAPKCS1v15, false: formats.ECDSA}[isRSA(c.key)]
		if isEd25519(c.key) {
			scheme = formats.Ed25519ph
		}
		var err error
		if r.KeyDetails, err = RekorV1.KeyDetails(formats.Candidate{SPKI: r.SPKI, Scheme: scheme, Hash: c.hash}); err != nil {
			t.Fatal(err)
		}
		body, err := RekorV1.Body(r)
		if err != nil {
			t.Fatal(err)
		}
		if want, err := jsoncanonicalizer.Transform(body); err != nil || !bytes.Equal(body, want) {
			t.Errorf("body is %s, canonical is %s: %v", body, want, err)
		}
		again, err := RekorV1.Parse(body)
		if err != nil || !bytes.Equal(again.Digest, r.Digest) || !bytes.Equal(again.Signature, r.Signature) || !bytes.Equal(again.SPKI, r.SPKI) || again.KeyDetails != r.KeyDetails {
			t.Errorf("%s reads back as %+v: %v", body, again, err)
		}
		if _, err := RekorV2.Parse(body); err == nil {
			t.Error("it is one of Rekor v2")
		}
		v2, err := RekorV2.Body(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := RekorV1.Parse(v2); err == nil {
			t.Error("one of Rekor v2 is one of Rekor v1")
		}
		if RekorV1.Kind(r) != V1Kind || RekorV2.Kind(r) != Kind {
			t.Errorf("kinds %s, %s", RekorV1.Kind(r), RekorV2.Kind(r))
		}
	}
}

func TestV1WithCertificate(t *testing.T) {
	r := sample(t, true)
	body, err := RekorV1.Body(r)
	if err != nil {
		t.Fatal(err)
	}
	again, err := RekorV1.Parse(body)
	if err != nil || !bytes.Equal(again.Certificate, r.Certificate) || !bytes.Equal(again.SPKI, r.SPKI) || RekorV1.Verify(again, formats.Projection{}) != nil {
		t.Errorf("%s reads back as %+v: %v", body, again, err)
	}
}

// TestV1ParseRefuses: what the log would not have made is no entry of it.
func TestV1ParseRefuses(t *testing.T) {
	r := sample(t, false)
	good, err := RekorV1.Body(r)
	if err != nil {
		t.Fatal(err)
	}
	key := string(bytes.Split(good, []byte(`"`))[v1KeyPart])
	pemText, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	withKey := func(text string) string {
		return strings.Replace(string(good), key, base64.StdEncoding.EncodeToString([]byte(text)), 1)
	}
	for name, body := range map[string]string{
		"blank in front":      " " + string(good),
		"another version":     strings.Replace(string(good), "0.0.1", "0.0.2", 1),
		"another hash":        strings.Replace(string(good), "sha256", "sha512", 1),
		"upper case digest":   strings.Replace(string(good), "0707", "0A07", 1),
		"another member":      strings.Replace(string(good), `{"data":{"hash"`, `{"data":{"url":"","hash"`, 1),
		"two keys":            withKey(string(pemText) + string(pemText)),
		"a header in the PEM": withKey(strings.Replace(string(pemText), "KEY-----\n", "KEY-----\nA: b\n\n", 1)),
		"another PEM type":    withKey(strings.ReplaceAll(string(pemText), "PUBLIC KEY", "RSA PUBLIC KEY")),
		"no PEM":              withKey("key"),
		"nothing":             "",
	} {
		if _, err := RekorV1.Parse([]byte(body)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	// Pure Ed25519 is not among them: the entry does not hold what was signed.
	if _, err := RekorV1.KeyDetails(formats.Candidate{SPKI: encodeSPKI(t, newEd25519(t)), Scheme: formats.Ed25519, Hash: formats.SHA256}); formats.ReasonOf(err) != formats.ReasonNotProjectable {
		t.Errorf("pure Ed25519: %v", err)
	}
}

func FuzzV1Parse(f *testing.F) {
	f.Add([]byte(`{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm":"sha256","value":"07"}},"signature":{"content":"AA==","publicKey":{"content":"AA=="}}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := RekorV1.Parse(body)
		if err != nil {
			return
		}
		again, err := RekorV1.Body(r)
		if err != nil || !bytes.Equal(again, body) {
			t.Fatalf("Body(Parse(b)) is not b: %v", err)
		}
	})
}
