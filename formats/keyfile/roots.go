// SPDX-License-Identifier: Apache-2.0

package keyfile

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// errCritical names the extensions by their object identifiers, as many as fit.
func errCritical(which string, c *x509.Certificate) error {
	const most = 3
	var names []string
	for _, id := range c.UnhandledCriticalExtensions[:min(len(c.UnhandledCriticalExtensions), most)] {
		names = append(names, fmt.Sprintf("%.60s", id.String()))
	}
	return formats.NewError(formats.ReasonUnsupportedFeature,
		which+" has a critical extension that is not known: "+strings.Join(names, ", "), "sign with a certificate without it")
}

// CheckRoots refuses a key whose certificate does not chain to roots at the given time,
// through its chain and the other certificates. It does nothing when roots is nil. Errors
// have ReasonKeyNotTrusted or ReasonUnsupportedFeature and name the certificate at fault, or are m's.
func (k Key) CheckRoots(m *formats.Meter, roots *x509.CertPool, at time.Time, others ...*x509.Certificate) error {
	if roots == nil {
		return nil
	}
	if len(k.Chain) == 0 {
		return formats.NewError(formats.ReasonKeyNotTrusted, "the policy asks for a certificate and a bare key was sent",
			"send the signer's certificate with its issuers")
	}
	var issuers []*x509.Certificate
	for _, c := range append(k.Chain[1:len(k.Chain):len(k.Chain)], others...) {
		if CheckStrength(c.PublicKey) == nil {
			issuers = append(issuers, c)
		}
	}
	if err := chargeChains(m, k.Chain[0], issuers); err != nil {
		return err
	}
	pool := x509.NewCertPool()
	for _, c := range issuers {
		pool.AddCert(c)
	}
	_, err := k.Chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: pool, CurrentTime: at,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return k.errRoots(err)
	}
	return nil
}

// errRoots says which certificate is at fault, and how, as far as that can be known.
func (k Key) errRoots(err error) error {
	const message, hint = "the signer's certificate does not chain to a trusted root",
		"send the issuers' certificates too, or ask the gateway's operator to trust the root"
	if k.ChainFault != nil {
		return formats.WrapError(err, formats.ReasonKeyNotTrusted, message+": "+k.ChainFault.Message, k.ChainFault.Hint)
	}
	for i, c := range k.Chain {
		if len(c.UnhandledCriticalExtensions) > 0 {
			return errCritical(k.nameCertificate(i), c)
		}
		if last := i == len(k.Chain)-1; i > 0 && !last && !c.IsCA { // the last may be a root, which is trusted as it is
			return formats.WrapError(err, formats.ReasonKeyNotTrusted, message+": "+k.nameCertificate(i)+" "+nameInvalid(x509.NotAuthorizedToSign), hint)
		}
	}
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown) && unknown.Cert != nil:
		return formats.WrapError(err, formats.ReasonKeyNotTrusted,
			message+": the issuer of "+k.nameOf(unknown.Cert)+" is neither a trusted root nor among the certificates sent", hint)
	case errors.As(err, &invalid) && invalid.Cert != nil:
		return formats.WrapError(err, formats.ReasonKeyNotTrusted, message+": "+k.nameOf(invalid.Cert)+" "+nameInvalid(invalid.Reason), hint)
	}
	return formats.WrapError(err, formats.ReasonKeyNotTrusted, message, hint)
}

func (k Key) nameOf(c *x509.Certificate) string {
	for i := range k.Chain {
		if k.Chain[i].Equal(c) {
			return k.nameCertificate(i)
		}
	}
	return "one of the certificates"
}

func (k Key) nameCertificate(i int) string {
	if i == 0 {
		return "the signer's certificate"
	}
	return fmt.Sprintf("certificate %d of %d", i+1, len(k.Chain))
}

func nameInvalid(r x509.InvalidReason) string {
	switch r {
	case x509.Expired:
		return "had expired, or was not valid yet"
	case x509.NotAuthorizedToSign:
		return "is not one of a certificate authority"
	case x509.TooManyIntermediates:
		return "has too many certificates above it"
	case x509.NameMismatch, x509.NameConstraintsWithoutSANs, x509.CANotAuthorizedForThisName, x509.UnconstrainedName:
		return "is for a name that its issuer may not certify"
	case x509.CANotAuthorizedForExtKeyUsage, x509.IncompatibleUsage:
		return "is for a use that its issuer may not certify"
	}
	return "is not valid"
}

// maxChainChecks is how many signatures crypto/x509 checks at most before it gives up on a certificate.
const maxChainChecks = 100

// chargeChains charges for building chains from leaf through issuers, before it is done: it cannot be
// stopped, and tries every path in which each certificate could have issued the one before.
func chargeChains(m *formats.Meter, leaf *x509.Certificate, issuers []*x509.Certificate) error {
	checks, paths := 1, 1
	for n := len(issuers); n > 0 && checks < maxChainChecks; n-- {
		paths *= n
		checks += 2 * paths // each is tried with issuers and with roots
	}
	checks = min(checks, maxChainChecks)
	size, dearest := len(leaf.Raw), leaf.PublicKey
	for _, c := range issuers {
		size += len(c.Raw)
		if formats.CheckCost(c.PublicKey) > formats.CheckCost(dearest) {
			dearest = c.PublicKey
		}
	}
	if err := m.ChargeBytes(checks * size); err != nil {
		return err
	}
	return m.ChargeChecks(checks, dearest)
}
