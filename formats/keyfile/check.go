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
	"fmt"
	"math"
	"math/big"
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

// CheckExponent refuses an RSA exponent of more bits than crypto/rsa, or the library of a format, verifies with: the fault
// is the key's. Errors have ReasonUnsupportedAlgorithm.
func CheckExponent(e *big.Int, bits int) error {
	if e.BitLen() > bits {
		return errUnsupportedKey(fmt.Sprintf("the RSA key's public exponent has more than %d bits, which is not supported", bits))
	}
	return nil
}
