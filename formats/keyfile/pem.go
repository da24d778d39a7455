// SPDX-License-Identifier: Apache-2.0

package keyfile

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

const pemBegin = "-----BEGIN "

// Block takes one PEM block off data, which must start with it. encoding/pem skips what it
// cannot read; here that is refused, as are headers. Errors have ReasonMalformedKey or
// ReasonTrailingData.
func Block(data []byte) (block *pem.Block, rest []byte, err error) {
	data = bytes.TrimSpace(data)
	if !bytes.HasPrefix(data, []byte(pemBegin)) {
		return nil, nil, formats.NewError(formats.ReasonTrailingData,
			"there is text before or after the PEM block", "keep the lines from BEGIN to END alone")
	}
	block, rest = pem.Decode(data)
	if block == nil || bytes.Count(data[:len(data)-len(rest)], []byte(pemBegin)) != 1 || len(block.Headers) > 0 {
		return nil, nil, formats.NewError(formats.ReasonMalformedKey, "a PEM block is damaged", "send the file as it was made")
	}
	return block, bytes.TrimSpace(rest), nil
}

func readPEM(m *formats.Meter, data []byte) (Key, error) {
	block, rest, err := Block(data)
	if err != nil {
		return Key{}, err
	}
	if block.Type == "CERTIFICATE" {
		return readChain(m, block, rest)
	}
	if len(rest) > 0 {
		return Key{}, formats.NewError(formats.ReasonTrailingData,
			"there is something after the public key", "send each key as a file of its own")
	}
	switch block.Type {
	case "PUBLIC KEY":
		if err := checkWhole(block.Bytes); err != nil {
			return Key{}, err
		}
		return readPKIX(block.Bytes)
	case "RSA PUBLIC KEY":
		if err := checkWhole(block.Bytes); err != nil {
			return Key{}, err
		}
		pub, err := x509.ParsePKCS1PublicKey(block.Bytes)
		if err != nil {
			return Key{}, errMalformedKey(err)
		}
		return fromPublic(pub)
	}
	return Key{}, formats.NewError(formats.ReasonMalformedKey, "a PEM block is neither PUBLIC KEY nor CERTIFICATE", hintKey)
}

func readChain(m *formats.Meter, block *pem.Block, rest []byte) (Key, error) {
	var chain []*x509.Certificate
	for {
		if block.Type != "CERTIFICATE" || len(chain) == maxChain {
			return Key{}, formats.NewError(formats.ReasonMalformedKey,
				"a certificate file holds something else, or more than 16 certificates",
				"send the signer's certificate, then its issuers, and nothing else")
		}
		if err := m.ChargeParses(2); err != nil {
			return Key{}, err
		}
		cert, err := ParseCertificate(block.Bytes)
		if err != nil {
			return Key{}, err
		}
		chain = append(chain, cert)
		if len(rest) == 0 {
			break
		}
		if block, rest, err = Block(rest); err != nil {
			return Key{}, err
		}
	}
	if err := checkLinks(m, chain); err != nil {
		return Key{}, err
	}
	return FromCertificate(chain...)
}

// checkLinks: each certificate is issued by the next. Keys are checked first, so that a
// monstrous one costs nothing.
func checkLinks(m *formats.Meter, chain []*x509.Certificate) error {
	for i, issuer := range chain[1:] {
		if err := CheckStrength(issuer.PublicKey); err != nil {
			return err
		}
		if err := m.ChargeChecks(1, issuer.PublicKey); err != nil {
			return err
		}
		err := chain[i].CheckSignatureFrom(issuer)
		if err != nil || !bytes.Equal(chain[i].RawIssuer, issuer.RawSubject) {
			return formats.WrapError(err, formats.ReasonKeyNotValid,
				"the certificates do not form a chain", "put the signer's certificate first, each issuer after it")
		}
	}
	return nil
}
