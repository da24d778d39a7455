// SPDX-License-Identifier: Apache-2.0

package ssh

import (
	"math"
	"strings"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

const (
	maxPrincipals     = 256 // OpenSSH's own limit
	maxPrincipalBytes = 4 << 10
)

// optionVerify demands that the security key checked a PIN or fingerprint. The other known
// critical options restrict logins: what they should mean for a signature nobody has said.
const optionVerify = "verify-required"

// checkCertificate checks a certificate that the authority of an allowed_signers line is
// said to have issued, for a principal that the line names.
func (t *trust) checkCertificate(m *formats.Meter, sig *signature, patterns string, p formats.Policy) error {
	cert := sig.cert
	if cert.CertType != xssh.UserCert {
		return formats.NewError(formats.ReasonKeyNotValid, "the signature was made with a host certificate", "sign with a user certificate")
	}
	if err := checkAuthority(cert); err != nil {
		return err
	}
	if err := checkOptions(sig); err != nil {
		return err
	}
	principal, err := matchPrincipal(m, cert, patterns)
	if err != nil {
		return err
	}
	after, before := readPeriod(cert)
	if err := t.checkValidity("the signer's certificate", after, before, p); err != nil {
		return err
	}
	if err := chargeIssued(m, cert); err != nil {
		return err
	}
	if err := checkIssued(cert, principal, after); err != nil {
		return err
	}
	t.checks = append(t.checks, "certificate", "certificate-principal", "certificate-validity")
	t.notes = append(t.notes, "signed with a certificate issued by "+xssh.FingerprintSHA256(cert.SignatureKey)+
		"; its validity was judged at the time of submission, as the signature states none")
	return nil
}

// checkAuthority refuses authorities and issuing signatures that are too weak.
func checkAuthority(cert *xssh.Certificate) error {
	if _, err := cryptoKey(cert.SignatureKey); err != nil {
		return err
	}
	_, err := algorithmOf(cert.Signature.Format)
	return err
}

func checkOptions(sig *signature) error {
	for option := range sig.cert.CriticalOptions {
		if option != optionVerify {
			return formats.NewError(formats.ReasonUnsupportedFeature, "the certificate has a critical option that says nothing about signatures",
				"sign with a certificate without critical options")
		}
		if sig.sk == nil || sig.sk.Flags&flagVerified == 0 {
			return formats.NewError(formats.ReasonKeyNotValid, "the certificate demands that the security key verifies its user, which it did not",
				"enter the security key's PIN or use its fingerprint reader when signing")
		}
	}
	return nil
}

// matchPrincipal returns a principal of the certificate that the line names. A certificate
// without principals is refused, as ssh-keygen does.
func matchPrincipal(m *formats.Meter, cert *xssh.Certificate, patterns string) (string, error) {
	all := cert.ValidPrincipals
	if len(all) > maxPrincipals || len(strings.Join(all, "")) > maxPrincipalBytes {
		return "", formats.NewError(formats.ReasonTooLarge, "the certificate has too many principals", "sign with a certificate of fewer principals")
	}
	for _, principal := range all {
		named, err := matchList(m, principal, patterns)
		if err != nil {
			return "", err
		}
		if named {
			return principal, nil
		}
	}
	return "", formats.NewError(formats.ReasonKeyNotValid, "the certificate has no principal that the allowed_signers line of its authority names",
		"have a certificate issued with your principal: ssh-keygen -s CA -n PRINCIPAL")
}

// readPeriod returns when a certificate is valid; the zero time stands for no limit.
func readPeriod(cert *xssh.Certificate) (after, before time.Time) {
	const last = math.MaxInt64 / 2 // time.Unix is exact up to there
	after = time.Unix(int64(min(cert.ValidAfter, last)), 0)
	if cert.ValidBefore != xssh.CertTimeInfinity {
		before = time.Unix(int64(min(cert.ValidBefore, last)), 0)
	}
	return after, before
}

// chargeIssued charges for the check of the authority's signature, over the whole certificate.
func chargeIssued(m *formats.Meter, cert *xssh.Certificate) error {
	authority, err := cryptoKey(cert.SignatureKey)
	if err != nil {
		return err
	}
	return m.ChargeChecks(1, authority)
}

// checkIssued has the library check the authority's signature. The clock it is given lies
// within the certificate's validity, which has been judged.
func checkIssued(cert *xssh.Certificate, principal string, at time.Time) error {
	checker := xssh.CertChecker{
		SupportedCriticalOptions: []string{optionVerify},
		Clock:                    func() time.Time { return at },
	}
	if err := checker.CheckCert(principal, cert); err != nil {
		return formats.NewError(formats.ReasonSignatureInvalid, "the certificate was not issued by the authority it names",
			"send the signature as ssh-keygen -Y sign wrote it")
	}
	return nil
}
