// SPDX-License-Identifier: Apache-2.0

package pkcs7_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/pkcs7"
)

// run parses and verifies.
func run(signature []byte, keys [][]byte, artifact []byte, p formats.Policy) (*formats.Verified, error) {
	s, err := pkcs7.New().Parse(context.Background(), signature, keys, p)
	if err != nil {
		return nil, err
	}
	a := formats.Artifact{}
	if artifact != nil {
		a = formats.FromReader(bytes.NewReader(artifact))
	}
	return s.Verify(context.Background(), a)
}

func wantReason(t *testing.T, err error, want formats.Reason) {
	t.Helper()
	if got := formats.ReasonOf(err); got != want {
		t.Errorf("reason %q, want %q (%v)", got, want, err)
	}
}

// TestRefusedOfOpenSSL: some signatures that OpenSSL made are refused.
func TestRefusedOfOpenSSL(t *testing.T) {
	for _, c := range []struct {
		name, signature, key string
		want                 formats.Reason
	}{
		{"SHA-1", "sha1.der", "", formats.ReasonWeakAlgorithm},
		{"MD5", "md5.der", "", formats.ReasonWeakAlgorithm},
		{"SHA-224", "sha224.der", "", formats.ReasonUnsupportedAlgorithm},
		{"RSA-1024", "rsa1024.der", "", formats.ReasonWeakAlgorithm},
		{"DSA", "dsa.der", "", formats.ReasonWeakAlgorithm},
		{"zero signers", "no-signer.der", "", formats.ReasonNoSignature},
		{"key not the signer's", "rsa2048.der", "other-cert.pem", formats.ReasonKeyMismatch},
		{"certificate missing", "rsa2048-nocerts.der", "", formats.ReasonMissingKey},
		{"certificate missing, bare key", "rsa2048-nocerts.der", "rsa2048.pem", formats.ReasonMissingKey},
		{"certificate not for signing", "agreement.der", "", formats.ReasonKeyNotValid},
		{"encrypted", "enveloped.der", "", formats.ReasonUnsupportedSignature},
		{"plain data", "data.der", "", formats.ReasonUnsupportedSignature},
		{"content of another type", "other-content.der", "", formats.ReasonUnsupportedSignature},
		{"not CMS", "rsa2048-cert.pem", "", formats.ReasonMalformedSignature},
		{"text", "text.txt", "", formats.ReasonMalformedSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			var keys [][]byte
			if c.key != "" {
				keys = [][]byte{file(t, c.key)}
			}
			_, err := run(file(t, c.signature), keys, file(t, "artifact.bin"), strict(t))
			wantReason(t, err, c.want)
		})
	}
}

func TestTrailingBytes(t *testing.T) {
	for _, name := range []string{"rsa2048.der", "rsa2048-stream.ber", "rsa2048-cms.pem", "text.eml"} {
		_, err := run(append(file(t, name), "\x00x"...), nil, nil, strict(t))
		wantReason(t, err, formats.ReasonTrailingData)
	}
}

// attributesBut returns the usual attributes with one replaced, or dropped for nil.
func (f *forgery) attributesBut(i int, with ...[]byte) [][]byte {
	return append(append(append([][]byte{}, f.attributes[:i]...), with...), f.attributes[i+1:]...)
}

func TestRefusedForgeries(t *testing.T) {
	stamp := func(d time.Duration) []byte { return attribute(signingTime, utcTime(forgedNow.Add(d))) }
	hash := octets(sha256Of(forgedArtifact))
	year := 365 * 24 * time.Hour
	for name, c := range map[string]struct {
		forge func(f *forgery)
		want  formats.Reason
	}{
		"nothing wrong":             {func(*forgery) {}, ""},
		"attributes in other order": {func(f *forgery) { f.attributes[0], f.attributes[2] = f.attributes[2], f.attributes[0] }, ""},
		"content type missing":      {func(f *forgery) { f.attributes = f.attributesBut(0) }, formats.ReasonMalformedSignature},
		"content type wrong": {func(f *forgery) { f.attributes = f.attributesBut(0, attribute(contentType, oid(signedData))) },
			formats.ReasonMalformedSignature},
		"content type twice": {func(f *forgery) { f.attributes = append(f.attributes, f.attributes[0]) }, formats.ReasonMalformedSignature},
		"content type of two values": {func(f *forgery) { f.attributes = f.attributesBut(0, attribute(contentType, oid(data), oid(data))) },
			formats.ReasonMalformedSignature},
		"digest missing": {func(f *forgery) { f.attributes = f.attributesBut(2) }, formats.ReasonMalformedSignature},
		"digest twice": {func(f *forgery) { f.attributes = append(f.attributes, attribute(messageDigest, hash)) },
			formats.ReasonMalformedSignature},
		"digest of two values": {func(f *forgery) { f.attributes = f.attributesBut(2, attribute(messageDigest, hash, hash)) },
			formats.ReasonMalformedSignature},
		"digest too short": {func(f *forgery) { f.attributes = f.attributesBut(2, attribute(messageDigest, octets(nil))) },
			formats.ReasonMalformedSignature},
		"digest of another artifact": {func(f *forgery) {
			f.attributes = f.attributesBut(2, attribute(messageDigest, octets(sha256Of(nil))))
		}, formats.ReasonArtifactMismatch},
		"no attributes left":        {func(f *forgery) { f.attributes = [][]byte{} }, formats.ReasonMalformedSignature},
		"time missing":              {func(f *forgery) { f.attributes = f.attributesBut(1) }, ""},
		"time in the future":        {func(f *forgery) { f.attributes = f.attributesBut(1, stamp(time.Hour)) }, formats.ReasonSignatureInFuture},
		"time before certificate":   {func(f *forgery) { f.attributes = f.attributesBut(1, stamp(-2*year)) }, formats.ReasonKeyNotValid},
		"time malformed":            {func(f *forgery) { f.attributes = f.attributesBut(1, attribute(signingTime, number(1))) }, formats.ReasonMalformedSignature},
		"signed by another key":     {func(f *forgery) { f.signed = []byte("something else") }, formats.ReasonSignatureInvalid},
		"hashes contradict":         {func(f *forgery) { f.algorithm = ecdsaSHA384 }, formats.ReasonMalformedSignature},
		"algorithm of another kind": {func(f *forgery) { f.algorithm = []int{1, 2, 840, 113549, 1, 1, 11} }, formats.ReasonMalformedSignature},
		"unknown algorithm":         {func(f *forgery) { f.algorithm = []int{1, 3, 101, 113} }, formats.ReasonUnsupportedAlgorithm},
		"unknown version":           {func(f *forgery) { f.version = number(2) }, formats.ReasonUnsupportedVersion},
		"no signer":                 {func(f *forgery) { f.signers = 0 }, formats.ReasonNoSignature},
		"two signers":               {func(f *forgery) { f.signers = 2 }, formats.ReasonMalformedSignature},
		"bytes inside, at the end":  {func(f *forgery) { f.tail = number(0) }, formats.ReasonMalformedSignature},
		"algorithms protected":      {func(f *forgery) { f.protect(ecdsaSHA256) }, ""},
		"algorithms swapped":        {func(f *forgery) { f.protect(ecdsaSHA384) }, formats.ReasonMalformedSignature},
		"CAdES":                     {func(f *forgery) { f.bind(f.certificate) }, ""},
		"CAdES, other certificate":  {func(f *forgery) { f.bind([]byte("other")) }, formats.ReasonKeyMismatch},
		"unsigned attributes": {func(f *forgery) {
			f.unsigned = value(asn1.Tag(1).ContextSpecific().Constructed(), attribute(signatureToken, number(1)))
		}, ""},
		"unreadable certificate beside":     {func(f *forgery) { f.extra = sequence(number(1)) }, ""},
		"too many certificates":             {func(f *forgery) { f.extra = bytes.Repeat(sequence(number(1)), 64) }, formats.ReasonTooLarge},
		"second certificate for the signer": {func(f *forgery) { f.extra = otherCertificate(t) }, formats.ReasonKeyNotValid},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForgery(t)
			c.forge(f)
			_, err := run(f.der(t), nil, forgedArtifact, f.policy())
			wantReason(t, err, c.want)
		})
	}
}

// protect adds the attribute of RFC 6211.
func (f *forgery) protect(signature []int) {
	f.attributes = append(f.attributes, attribute(algorithms,
		sequence(sequence(oid(hashSHA256)), value(asn1.Tag(1).ContextSpecific().Constructed(), oid(signature)))))
}

// bind adds the attribute of RFC 5035.
func (f *forgery) bind(certificate []byte) {
	f.attributes = append(f.attributes, attribute(signingCertV2, sequence(sequence(sequence(octets(sha256Of(certificate)))))))
}

// otherCertificate has the forger's issuer and serial number and another key.
func otherCertificate(t *testing.T) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return selfSigned(t, key, 7)
}

// The attributes of a signature, taken as content, with the same signature value and no attributes.
func TestStrippedAttributes(t *testing.T) {
	f := newForgery(t)
	content := set(f.attributes...)
	f.attributes = nil
	f.signed = content
	_, err := run(f.der(t), nil, content, f.policy())
	wantReason(t, err, formats.ReasonProtocolConfusion)
	s, err := pkcs7.New().Parse(context.Background(), f.der(t), nil, f.policy())
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Verify(context.Background(), formats.FromDigest(*digest(formats.SHA256, content)))
	wantReason(t, err, formats.ReasonNeedsBytes)
}

// The same, when the content has to pass through the conversion of line ends to become the attributes.
func TestStrippedAttributesBehindLineEnds(t *testing.T) {
	f := newForgery(t)
	odd := bytes.Repeat([]byte{'\r', '\n'}, 16) // a digest of line ends
	content := set(attribute(messageDigest, octets(odd)))
	f.attributes, f.signed = nil, content
	lean := bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n"))
	_, err := run(f.der(t), nil, lean, f.policy())
	wantReason(t, err, formats.ReasonProtocolConfusion)
}

// Wrapping, certificates beside and unsigned attributes make no other submission.
func TestCanonical(t *testing.T) {
	f := newForgery(t)
	der := f.der(t)
	one, err := run(der, nil, forgedArtifact, f.policy())
	if err != nil {
		t.Fatal(err)
	}
	two, err := run(indefiniteForm(der), nil, forgedArtifact, f.policy())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one.Canonical, two.Canonical) {
		t.Error("BER and DER of one signature are two submissions")
	}
}

// indefiniteForm writes the outermost SEQUENCE with an indefinite length.
func indefiniteForm(der []byte) []byte {
	return append(append([]byte{0x30, 0x80}, der[4:]...), 0, 0)
}

func TestExpiry(t *testing.T) {
	f := newForgery(t)
	p := f.policy()
	p.Now = forgedNow.AddDate(3, 0, 0)
	if _, err := run(f.der(t), nil, forgedArtifact, p); err != nil {
		t.Errorf("expired now, valid when signed: %v", err)
	}
	f.attributes = f.attributesBut(1, attribute(signingTime, utcTime(forgedNow.AddDate(2, 0, 0))))
	late := f.der(t)
	_, err := run(late, nil, forgedArtifact, p)
	wantReason(t, err, formats.ReasonKeyExpired)
	p.Historical.Allow = formats.AllExceptions
	v, err := run(late, nil, forgedArtifact, p)
	if err != nil || len(v.Projections) != 0 {
		t.Errorf("historical: %v", err)
	}
}

func TestSignerPolicy(t *testing.T) {
	f := newForgery(t)
	der := f.der(t)
	v, err := run(der, nil, forgedArtifact, f.policy())
	if err != nil {
		t.Fatal(err)
	}
	forbidden, listed := f.policy(), f.policy()
	forbidden.ForbiddenSigners = append(forbidden.ForbiddenSigners, sha256.Sum256(v.Signers[0].SPKI))
	listed.Keys = map[string][][]byte{"pkcs7": {file(t, "other-cert.pem")}}
	_, err = run(der, nil, forgedArtifact, forbidden)
	wantReason(t, err, formats.ReasonForbiddenSigner)
	_, err = run(der, nil, forgedArtifact, listed)
	wantReason(t, err, formats.ReasonKeyNotTrusted)
	_, err = run(der, [][]byte{[]byte("-----BEGIN PRIVATE KEY-----")}, forgedArtifact, f.policy())
	wantReason(t, err, formats.ReasonSecretKey)
}
