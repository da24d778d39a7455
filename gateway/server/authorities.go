// SPDX-License-Identifier: Apache-2.0

package server

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	trustrootpb "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

var (
	errNoAuthorities = errors.New("allowed_identities: the trusted root has no certificate authority: name those that count in roots")
	errNotInUse      = errors.New("this certificate authority is not in use")
)

// policyOf returns the policy of a name. Where it names identities and no roots, the trusted root's certificate authorities are these.
func (f *files) policyOf(name string) (formats.Policy, error) {
	p := f.policies[name]
	if len(p.AllowedIdentities) == 0 || p.Roots != nil {
		return p, nil
	}
	if f.authorities == nil {
		return p, fmt.Errorf("%s.%w", config.PolicyKey(name), errNoAuthorities)
	}
	p.Roots = f.authorities
	return p, nil
}

// poolAuthorities returns the certificate authorities of a trusted root, nil where there are none. Each counts while it is in use by the
// given clock, for certificates that it has issued since it is.
func poolAuthorities(root *trustrootpb.TrustedRoot, now func() time.Time) (*x509.CertPool, error) {
	var pool *x509.CertPool
	for _, a := range root.GetCertificateAuthorities() {
		start, end := a.GetValidFor().GetStart(), a.GetValidFor().GetEnd()
		inUse := func(chain []*x509.Certificate) error {
			if start != nil && (now().Before(start.AsTime()) || chain[0].NotBefore.Before(start.AsTime())) || end != nil && now().After(end.AsTime()) {
				return errNotInUse
			}
			return nil
		}
		for _, c := range a.GetCertChain().GetCertificates() {
			certificate, err := x509.ParseCertificate(c.GetRawBytes())
			if err != nil {
				return nil, fmt.Errorf("reading trusted root: an authority's certificate: %w", err)
			}
			if pool == nil {
				pool = x509.NewCertPool()
			}
			pool.AddCertWithConstraint(certificate, inUse)
		}
	}
	return pool, nil
}
