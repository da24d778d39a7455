// SPDX-License-Identifier: Apache-2.0

package keyfile

import (
	"crypto"
	"crypto/dsa" //nolint:staticcheck // only to name what is refused
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/ed25519stream"
)

const hintAlgorithm = "use RSA with 2048 bits or more, ECDSA on P-256, P-384 or P-521, or Ed25519"

// maxRSA bounds the cost of one verification, in bits.
const maxRSA = 16384

// CheckStrength refuses keys that are broken, too short or of no supported kind. Errors
// have ReasonWeakAlgorithm or ReasonUnsupportedAlgorithm.
func CheckStrength(pub crypto.PublicKey) error {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return checkRSA(k)
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P224() {
			return errWeakKey("the key's curve P-224 is too short")
		}
		return nil
	case ed25519.PublicKey:
		return checkEd25519(k)
	case *dsa.PublicKey:
		return errWeakKey("DSA keys are not accepted")
	}
	return formats.NewError(formats.ReasonUnsupportedAlgorithm, "this kind of public key is not supported", hintAlgorithm)
}

func errWeakKey(message string) error {
	return formats.NewError(formats.ReasonWeakAlgorithm, message, hintAlgorithm)
}

func checkRSA(k *rsa.PublicKey) error {
	switch bits := k.N.BitLen(); {
	case bits < 2048:
		return errWeakKey("the RSA key has fewer than 2048 bits")
	case bits > maxRSA:
		return formats.NewError(formats.ReasonUnsupportedAlgorithm, "the RSA key has more than 16384 bits", hintAlgorithm)
	case k.E > math.MaxInt32:
		return errUnsupportedKey("the RSA key's public exponent has more than 31 bits, which is not supported")
	case k.E < 3 || k.E%2 == 0 || k.N.Bit(0) == 0:
		return errWeakKey("the RSA key has no usable modulus or exponent")
	}
	return nil
}

// checkEd25519 refuses the keys of small order (anybody can make signatures for them that
// fit any artifact) and second encodings of a key.
func checkEd25519(k ed25519.PublicKey) error {
	err := ed25519stream.CheckKey(k)
	switch {
	case errors.Is(err, ed25519stream.ErrSmallOrder):
		return errWeakKey("the Ed25519 key has a small order and belongs to nobody")
	case err != nil:
		return formats.WrapError(err, formats.ReasonMalformedKey, "the Ed25519 key is no point of the curve", hintKey)
	}
	return nil
}

// CheckCertificate refuses a certificate that may not sign documents or is not valid yet at
// the given time. Errors have ReasonKeyNotValid. Nothing is said of expiry: that is the caller's to judge.
func CheckCertificate(c *x509.Certificate, at time.Time) error {
	if c.KeyUsage != 0 && c.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0 {
		return formats.NewError(formats.ReasonKeyNotValid,
			"the signer's certificate does not allow signing documents", "sign with a certificate for digitalSignature")
	}
	if c.NotBefore.After(at.Add(formats.ClockSkew)) {
		return formats.NewError(formats.ReasonKeyNotValid,
			"the signer's certificate was not valid yet", "check the clock of the signing machine")
	}
	return nil
}

// CheckCritical refuses a certificate with critical extensions that are not understood where roots are configured. Without
// roots a certificate counts as its key alone, and a note says so. Errors have ReasonUnsupportedFeature.
func CheckCritical(c *x509.Certificate, roots *x509.CertPool) (note string, err error) {
	if len(c.UnhandledCriticalExtensions) == 0 {
		return "", nil
	}
	if roots == nil {
		return "the signer's certificate has a critical extension that is not understood, and counts as its key alone", nil
	}
	return "", formats.NewError(formats.ReasonUnsupportedFeature,
		"the signer's certificate has a critical extension that is not understood: "+c.UnhandledCriticalExtensions[0].String(),
		"sign with another certificate")
}

// CheckRoots refuses a key whose certificate does not chain to roots at the given time,
// through its chain and the other certificates. It does nothing when roots is nil. Errors
// have ReasonKeyNotTrusted, or are m's.
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
		return formats.WrapError(err, formats.ReasonKeyNotTrusted, "the signer's certificate does not chain to a trusted root",
			"send the issuers' certificates too, or ask the gateway's operator to trust the root")
	}
	return nil
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
