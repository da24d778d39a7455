// SPDX-License-Identifier: Apache-2.0

package formats

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/url"
	"testing"
	"time"
)

const (
	oidc     = "https://accounts.example.com"
	workflow = "https://github.com/example/app/.github/workflows/release.yml@refs/tags/v1"
)

// certificateWith returns a certificate of these extensions, by itself.
func certificateWith(t *testing.T, extensions ...pkix.Extension) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	uri, err := url.Parse(workflow)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), Subject: pkix.Name{CommonName: "boss@example.com"},
		EmailAddresses: []string{"Alice@example.com"}, URIs: []*url.URL{uri}, DNSNames: []string{"Build.example.com"}, ExtraExtensions: extensions,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func issuedBy(text string) pkix.Extension {
	der, _ := asn1.MarshalWithParams(text, "utf8")
	return pkix.Extension{Id: oidIssuer, Value: der}
}

// named is the extension of an alternative name, a URI that is written as text is.
func named(text string) pkix.Extension {
	der, _ := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(text)}})
	return pkix.Extension{Id: oidAltName, Value: der}
}

// Whom an authority names is compared as it is, with who had identified him; without roots names say nothing.
func TestCheckCertified(t *testing.T) {
	bare := func(text string) pkix.Extension { return pkix.Extension{Id: oidIssuerV1, Value: []byte(text)} }
	both, older := certificateWith(t, issuedBy(oidc), bare(oidc)), certificateWith(t, bare(oidc))
	for name, c := range map[string]struct {
		certificate *x509.Certificate
		allowed     Identity
		want        Reason
	}{
		"address":                    {both, Identity{"email:Alice@example.com", oidc}, ""},
		"workflow":                   {both, Identity{"uri:" + workflow, oidc}, ""},
		"host":                       {both, Identity{"dns:build.example.com", oidc}, ""},
		"older certificate":          {older, Identity{"email:Alice@example.com", oidc}, ""},
		"newer certificate":          {certificateWith(t, issuedBy(oidc)), Identity{"email:Alice@example.com", oidc}, ""},
		"no token":                   {certificateWith(t), Identity{"email:Alice@example.com", ""}, ""},
		"another case":               {both, Identity{"email:alice@example.com", oidc}, ReasonKeyNotTrusted},
		"another branch":             {both, Identity{"uri:" + workflow + "1", oidc}, ReasonKeyNotTrusted},
		"a branch that ends in #":    {certificateWith(t, named(workflow+"#")), Identity{"uri:" + workflow, ""}, ReasonKeyNotTrusted},
		"that branch itself":         {certificateWith(t, named(workflow+"#")), Identity{"uri:" + workflow + "#", ""}, ""},
		"a scheme in capitals":       {certificateWith(t, named("HTTPS"+workflow[5:])), Identity{"uri:" + workflow, ""}, ReasonKeyNotTrusted},
		"another kind":               {both, Identity{"uri:Alice@example.com", oidc}, ReasonKeyNotTrusted},
		"the subject":                {both, Identity{"email:boss@example.com", oidc}, ReasonKeyNotTrusted},
		"another issuer":             {both, Identity{"email:Alice@example.com", oidc + "/"}, ReasonKeyNotTrusted},
		"an issuer where none is":    {certificateWith(t), Identity{"email:Alice@example.com", oidc}, ReasonKeyNotTrusted},
		"no issuer where one is":     {both, Identity{"email:Alice@example.com", ""}, ReasonKeyNotTrusted},
		"two issuers":                {certificateWith(t, issuedBy(oidc), bare("https://other")), Identity{"email:Alice@example.com", oidc}, ReasonKeyNotTrusted},
		"two issuers, the other":     {certificateWith(t, issuedBy("https://other"), bare(oidc)), Identity{"email:Alice@example.com", oidc}, ReasonKeyNotTrusted},
		"issuer without its DER":     {certificateWith(t, pkix.Extension{Id: oidIssuer, Value: []byte(oidc)}), Identity{"email:Alice@example.com", oidc}, ReasonKeyNotTrusted},
		"issuer with more behind it": {certificateWith(t, pkix.Extension{Id: oidIssuer, Value: append(issuedBy(oidc).Value, 0)}), Identity{"email:Alice@example.com", oidc}, ReasonKeyNotTrusted},
		"issuer of another type":     {certificateWith(t, pkix.Extension{Id: oidIssuer, Value: append([]byte{asn1.TagIA5String}, issuedBy(oidc).Value[1:]...)}), Identity{"email:Alice@example.com", oidc}, ReasonKeyNotTrusted},
		"an empty issuer":            {certificateWith(t, issuedBy("")), Identity{"email:Alice@example.com", ""}, ReasonKeyNotTrusted},
	} {
		spki := c.certificate.RawSubjectPublicKeyInfo
		p := Policy{AllowedIdentities: []Identity{{"email:nobody@example.com", oidc}, c.allowed}, Roots: x509.NewCertPool()}
		if err := p.CheckCertified(spki, c.certificate); ReasonOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
		p.AllowedSigners = [][sha256.Size]byte{sha256.Sum256(spki)}
		if err := p.CheckCertified(spki, c.certificate); err != nil {
			t.Errorf("%s, whose key is allowed: %v", name, err)
		}
		p.ForbiddenSigners = p.AllowedSigners
		if err := p.CheckCertified(spki, c.certificate); ReasonOf(err) != ReasonForbiddenSigner {
			t.Errorf("%s, whose key is forbidden: %v", name, err)
		}
		p.Roots, p.AllowedSigners, p.ForbiddenSigners = nil, nil, nil
		if err := p.CheckCertified(spki, c.certificate); ReasonOf(err) != ReasonKeyNotTrusted {
			t.Errorf("%s, where nothing has to chain: %v", name, err)
		}
		if err := p.CheckSigner(spki); ReasonOf(err) != ReasonKeyNotTrusted {
			t.Errorf("%s, a key without its certificate: %v", name, err)
		}
	}
}
