// SPDX-License-Identifier: Apache-2.0

package pkcs7

import (
	"crypto/x509"
	"slices"

	"golang.org/x/crypto/cryptobyte"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/keyfile"
)

// certificates are those that a signer's may be among: inside the signature file, where only the signers' have to be
// readable, and beside it.
type certificates struct {
	all, inside []*x509.Certificate
	unreadable  []cryptobyte.String
	bySigner    map[string][]*x509.Certificate // by each name that a SignerIdentifier may give them
}

func readCertificateSet(m *formats.Meter, inside []cryptobyte.String, given []*x509.Certificate) (*certificates, error) {
	c := &certificates{}
	for _, der := range inside {
		if err := m.ChargeBytes(4 * len(der)); err != nil {
			return nil, err
		}
		if err := m.ChargeParses(2); err != nil {
			return nil, err
		}
		if cert, err := keyfile.ParseCertificate(der); err == nil {
			c.inside = append(c.inside, cert)
		} else {
			c.unreadable = append(c.unreadable, der)
		}
	}
	c.all = append(slices.Clone(c.inside), given...)
	c.indexSigners()
	return c, nil
}

func (c *certificates) indexSigners() {
	c.bySigner = map[string][]*x509.Certificate{}
	for _, cert := range c.all {
		names := []string{nameBySerial(cert.RawIssuer, cert.SerialNumber)}
		if len(cert.SubjectKeyId) > 0 {
			names = append(names, nameByKeyID(cert.SubjectKeyId))
		}
		for _, name := range names {
			if !slices.ContainsFunc(c.bySigner[name], cert.Equal) && len(c.bySigner[name]) < 2 { // two are one too many
				c.bySigner[name] = append(c.bySigner[name], cert)
			}
		}
	}
}

// findSigner returns the one certificate that the signer's identifier names.
func (c *certificates) findSigner(m *formats.Meter, s signerInfo) (*x509.Certificate, error) {
	found := c.bySigner[s.name()]
	switch len(found) {
	case 0:
		return nil, c.explainMissing(m, s)
	case 1:
		return found[0], nil
	}
	return nil, formats.NewError(formats.ReasonKeyNotValid, "two certificates claim to be the signer's",
		"send the signature with the signer's own certificate alone")
}

// explainMissing tells a certificate that cannot be read from one that is not there.
func (c *certificates) explainMissing(m *formats.Meter, s signerInfo) error {
	missing := formats.NewError(formats.ReasonMissingKey, "the signer's certificate is neither in the signature nor among the keys",
		"send the certificate as key: a bare public key does not say whose it is")
	for _, der := range c.unreadable {
		if err := m.ChargeBytes(8 * len(der)); err != nil {
			return err
		}
		o, ok := keyfile.ReadOutline(der)
		switch {
		case !ok:
			missing = formats.NewError(formats.ReasonMalformedKey, "a certificate in the signature is malformed, and no other is the signer's",
				"send the signer's certificate as key")
		case s.name() == nameBySerial(o.Issuer, o.Serial), s.name() == nameByKeyID(o.SubjectKey):
			if _, err := keyfile.ParseCertificate(der); err != nil {
				return err
			}
		}
	}
	return missing
}
