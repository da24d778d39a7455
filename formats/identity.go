// SPDX-License-Identifier: Apache-2.0

package formats

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	encoding "golang.org/x/crypto/cryptobyte/asn1"
)

// Identity is whom an authority names in a certificate. Both parts are compared as they are.
type Identity struct {
	// SAN is one of the certificate's subject alternative names, with its kind: "dns:NAME", "uri:URI", "email:ADDRESS".
	SAN string
	// OIDCIssuer is who had identified him to the authority, as Fulcio's certificates say; "" is for certificates that do
	// not say it.
	OIDCIssuer string
}

// The extensions in which Fulcio's certificates have the issuer of the OIDC token (github.com/sigstore/fulcio,
// docs/oid-info.md): as a DER UTF8String, and, in older ones and beside it, as the bare text.
var (
	oidIssuer   = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}
	oidIssuerV1 = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}
)

// CheckCertified applies AllowedSigners, AllowedIdentities and ForbiddenSigners to the SPKI of a key, and the certificate that it
// is in, which the format has chain to Roots where there are any. Of one that need not chain to anything, the names say nothing.
func (p Policy) CheckCertified(spki []byte, certificate *x509.Certificate) error {
	err := p.CheckSigner(spki)
	if ReasonOf(err) != ReasonKeyNotTrusted || p.Roots == nil || len(p.AllowedIdentities) == 0 {
		return err
	}
	issuer, ok := readOIDCIssuer(certificate)
	if !ok {
		return NewError(ReasonKeyNotTrusted, "the signer's certificate does not say clearly who had identified him", "sign with another certificate")
	}
	names := ListNames(certificate)
	for _, allowed := range p.AllowedIdentities {
		if allowed.OIDCIssuer == issuer && slices.Contains(names, allowed.SAN) {
			return nil
		}
	}
	return err
}

// isAllowed reports whether a key alone may sign.
func (p Policy) isAllowed(id [sha256.Size]byte) bool {
	return len(p.AllowedSigners)+len(p.AllowedIdentities) == 0 || slices.Contains(p.AllowedSigners, id)
}

// ListNames returns the names in a parsed certificate, each with its kind: "dns:NAME" in lower case, "uri:URI", "email:ADDRESS". The
// subject's common name is none.
func ListNames(c *x509.Certificate) (names []string) {
	for _, name := range c.DNSNames {
		names = append(names, "dns:"+strings.ToLower(name))
	}
	for _, uri := range listURIs(c) {
		names = append(names, "uri:"+uri)
	}
	for _, address := range c.EmailAddresses {
		names = append(names, "email:"+address)
	}
	return names
}

var oidAltName = asn1.ObjectIdentifier{2, 5, 29, 17}

// tagURI is uniformResourceIdentifier's among the general names (RFC 5280, section 4.2.1.6).
const tagURI encoding.Tag = 6

// listURIs returns the URIs as they stand in the certificate. What Certificate.URIs prints is another text where one ends
// in an empty fragment, say: the branch "main#" would be "main".
func listURIs(c *x509.Certificate) (uris []string) {
	for _, e := range c.Extensions {
		der, all := cryptobyte.String(e.Value), cryptobyte.String(nil)
		if !e.Id.Equal(oidAltName) || !der.ReadASN1(&all, encoding.SEQUENCE) {
			continue
		}
		var one cryptobyte.String
		var tag encoding.Tag
		for all.ReadAnyASN1(&one, &tag) {
			if tag == tagURI.ContextSpecific() {
				uris = append(uris, string(one))
			}
		}
	}
	return uris
}

// readOIDCIssuer returns "" of a certificate that names none, and not ok of one that names two, or none that can be read.
func readOIDCIssuer(c *x509.Certificate) (issuer string, ok bool) {
	for _, e := range c.Extensions {
		var named string
		switch {
		case e.Id.Equal(oidIssuerV1):
			named = string(e.Value)
		case e.Id.Equal(oidIssuer):
			der, text := cryptobyte.String(e.Value), cryptobyte.String(nil)
			if !der.ReadASN1(&text, encoding.UTF8String) || !der.Empty() {
				return "", false
			}
			named = string(text)
		default:
			continue
		}
		if named == "" || issuer != "" && issuer != named {
			return "", false
		}
		issuer = named
	}
	return issuer, true
}
