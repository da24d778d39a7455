// SPDX-License-Identifier: Apache-2.0

package keyfile

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

func errChainLength() error {
	return formats.NewError(formats.ReasonMalformedKey, "a certificate file holds more than 16 certificates",
		"send the signer's certificate, then its issuers, and nothing else")
}

// readChain reads the certificates of one signer, leaf first.
func readChain(m *formats.Meter, ders [][]byte) ([]Key, error) {
	leaf, err := ParseCertificate(ders[0])
	if err != nil {
		return nil, err
	}
	chain := []*x509.Certificate{leaf}
	var fault *formats.Error
	for i, der := range ders[1:] {
		if err := m.ChargeParses(2); err != nil {
			return nil, err
		}
		issuer, err := ParseCertificate(der)
		if err != nil {
			fault = errChain("certificate %d of %d cannot be read", i+2, len(ders))
			break
		}
		chain = append(chain, issuer)
	}
	if err := checkNames(chain); err != nil {
		return nil, err
	}
	k, err := FromCertificate(chain...)
	if err != nil {
		return nil, err
	}
	found, err := findChainFault(m, chain)
	if err != nil {
		return nil, err
	}
	if k.ChainFault = fault; found != nil {
		k.ChainFault = found
	}
	return []Key{k}, nil
}

// checkNames: each certificate names the next one as its issuer. Else nobody can tell which is the signer's.
func checkNames(chain []*x509.Certificate) error {
	for i, issuer := range chain[1:] {
		if !bytes.Equal(chain[i].RawIssuer, issuer.RawSubject) {
			return formats.NewError(formats.ReasonMalformedKey,
				fmt.Sprintf("the certificates do not form a chain: number %d in the file is not the issuer that number %d names", i+2, i+1),
				"put the signer's certificate first, each issuer after it; of certificates of several signers put the public keys into one file "+
					"(openssl x509 -in CERTIFICATE -noout -pubkey)")
		}
	}
	return nil
}

// findChainFault returns what keeps a certificate from vouching for the one before it; nil when nothing does. Keys are
// checked first, so that a monstrous one costs nothing.
func findChainFault(m *formats.Meter, chain []*x509.Certificate) (*formats.Error, error) {
	for i, issuer := range chain[1:] {
		var weak *formats.Error
		if errors.As(CheckStrength(issuer.PublicKey), &weak) {
			return errChain("certificate %d of %d: %s", i+2, len(chain), weak.Message), nil
		}
		if err := m.ChargeChecks(1, issuer.PublicKey); err != nil {
			return nil, err
		}
		if err := chain[i].CheckSignatureFrom(issuer); err != nil {
			return nameFault(err, chain, i), nil
		}
	}
	return nil, nil
}

func errChain(format string, args ...any) *formats.Error {
	return formats.NewError(formats.ReasonKeyNotValid, "the chain of certificates is not good: "+fmt.Sprintf(format, args...),
		"send the signer's certificate with issuers that are good, or alone where the policy asks for none")
}

// nameFault says in words of ours why chain[i+1] did not issue chain[i].
func nameFault(err error, chain []*x509.Certificate, i int) *formats.Error {
	var insecure x509.InsecureAlgorithmError
	var constraint x509.ConstraintViolationError
	issuer := chain[i+1]
	switch {
	case errors.As(err, &insecure):
		return errChain("certificate %d of %d is signed with %s, which is broken", i+1, len(chain), chain[i].SignatureAlgorithm)
	case errors.Is(err, x509.ErrUnsupportedAlgorithm):
		return errChain("certificate %d of %d is signed with an algorithm that is not supported", i+1, len(chain))
	case errors.As(err, &constraint) && (!issuer.IsCA || issuer.Version < 3):
		return errChain("certificate %d of %d is not one of a certificate authority", i+2, len(chain))
	case errors.As(err, &constraint):
		return errChain("certificate %d of %d may not sign certificates", i+2, len(chain))
	}
	return errChain("the signature of certificate %d of %d is not by the key of certificate %d", i+1, len(chain), i+2)
}
