// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"crypto/x509"
	"strings"
	"time"
)

// The kinds of names in a certificate by which a caller is known.
const (
	SANDNS   = "dns:"
	SANURI   = "uri:" // SPIFFE IDs are such
	SANEmail = "email:"
)

// listNames returns a certificate's names, each with its kind. Names are compared as they are: wildcards match nothing but
// themselves, and the subject's common name is none.
func listNames(c *x509.Certificate) []string {
	names := make([]string, 0, len(c.DNSNames)+len(c.URIs)+len(c.EmailAddresses))
	for _, name := range c.DNSNames {
		names = append(names, SANDNS+strings.ToLower(name))
	}
	for _, uri := range c.URIs {
		names = append(names, SANURI+uri.String())
	}
	for _, address := range c.EmailAddresses {
		names = append(names, SANEmail+address)
	}
	return names
}

// grantForCertificate is for the leaf of a chain that TLS has verified. One with names of two callers is neither's.
func (t *Table) grantForCertificate(leaf *x509.Certificate, now time.Time) (*grant, error) {
	if now.After(leaf.NotAfter) { // the connection may be older than that
		return nil, errBad
	}
	var found *grant
	for _, name := range listNames(leaf) {
		g := t.names[name]
		if g == nil {
			continue
		}
		if found != nil && found.caller != g.caller {
			return nil, errBad
		}
		found = g
	}
	if found == nil {
		return nil, errBad
	}
	return found, nil
}
