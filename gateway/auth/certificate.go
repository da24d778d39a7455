// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"crypto/x509"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// grantForCertificate is for the leaf of a chain that TLS has verified. One with names of two callers is neither's. Names are compared
// as they are: wildcards match nothing but themselves.
func (t *Table) grantForCertificate(leaf *x509.Certificate, now time.Time) (*grant, error) {
	if now.After(leaf.NotAfter) { // the connection may be older than that
		return nil, errBad
	}
	var found *grant
	for _, name := range formats.ListNames(leaf) {
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
