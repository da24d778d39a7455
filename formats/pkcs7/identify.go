// SPDX-License-Identifier: Apache-2.0

package pkcs7

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/keyfile"
)

// givenKeys are the keys that came beside the signature.
type givenKeys struct {
	sent, trusted       []keyfile.Key // by the submitter; by the policy
	sentIDs, trustedIDs map[string]bool
}

func readKeys(m *formats.Meter, sent [][]byte, p formats.Policy) (g givenKeys, err error) {
	if g.sent, err = keyfile.ReadAll(m, sent); err != nil {
		return givenKeys{}, err
	}
	if g.trusted, err = keyfile.ReadAll(m.Unlimited(), p.Keys[name]); err != nil {
		return givenKeys{}, p.ExplainKeys(name, err)
	}
	g.sentIDs, g.trustedIDs = indexKeys(g.sent), indexKeys(g.trusted)
	return g, nil
}

func indexKeys(keys []keyfile.Key) map[string]bool {
	out := map[string]bool{}
	for _, k := range keys {
		out[string(k.SPKI)] = true
	}
	return out
}

// checkSigner refuses a signer that is none of the keys, where there are any.
func (g givenKeys) checkSigner(spki []byte) error {
	if len(g.trusted) > 0 && !g.trustedIDs[string(spki)] {
		return formats.NewError(formats.ReasonKeyNotTrusted, "the policy names the keys that may sign, and the signer's is none of them",
			"sign with a key that the gateway's operator has listed")
	}
	if len(g.sent) > 0 && !g.sentIDs[string(spki)] {
		return formats.NewError(formats.ReasonKeyMismatch, "none of the keys made this signature",
			"send the signer's certificate, or no key when the signature carries it")
	}
	return nil
}

// listAll returns the keys that came, those of the submitter first.
func (g givenKeys) listAll() []keyfile.Key { return append(slices.Clone(g.sent), g.trusted...) }

func (g givenKeys) listCertificates() []*x509.Certificate {
	var out []*x509.Certificate
	for _, k := range g.listAll() {
		out = append(out, k.Chain...)
	}
	return out
}

// identify finds the signer's certificate and applies the policy to it.
func (s *signer) identify(m *formats.Meter, c *certificates, g givenKeys, p formats.Policy) error {
	leaf, err := c.findSigner(m, s.info)
	if err != nil {
		return err
	}
	if s.key, err = keyfile.FromCertificate(leaf); err != nil {
		return err
	}
	if err := g.checkSigner(s.key.SPKI); err != nil {
		return err
	}
	if err := p.CheckCertified(s.key.SPKI, leaf); err != nil {
		return err
	}
	if err := s.checkKind(); err != nil {
		return err
	}
	s.keepKeys(leaf, c.inside, g, p)
	return s.checkCertificate(m, leaf, c.all, p)
}

// checkKind: the key must be of the kind that the algorithm names.
func (s *signer) checkKind() error {
	ok := false
	switch s.key.Public.(type) {
	case *rsa.PublicKey:
		if err := s.key.CheckRSA(s.scheme.name == formats.RSAPSS, s.scheme.hash, s.scheme.salt); err != nil {
			return err
		}
		ok = s.scheme.name == formats.RSAPKCS1v15 || s.scheme.name == formats.RSAPSS
	case *ecdsa.PublicKey:
		ok = s.scheme.name == formats.ECDSA
	case ed25519.PublicKey:
		ok = s.scheme.name == pureEd25519
	}
	if !ok {
		return errMalformedSignature("the signer's signatureAlgorithm, " + nameAlgorithm(s.info.algorithm.id) +
			", is none of the signer's key, " + formats.KeyName(s.key.Public))
	}
	return nil
}

// keepKeys remembers what Parse has to be given again: the certificates that are not inside.
func (s *signer) keepKeys(leaf *x509.Certificate, inside []*x509.Certificate, g givenKeys, p formats.Policy) {
	embedded := slices.ContainsFunc(inside, leaf.Equal)
	if !embedded {
		s.keys = [][]byte{s.key.PEM()}
	}
	for _, k := range g.listAll() {
		if len(k.Chain) > 0 && k.Chain[0].Equal(leaf) && (!embedded || p.Roots != nil && len(k.Chain) > 1) {
			s.keys = [][]byte{k.PEM()}
			return
		}
	}
}

// checkCertificate judges the certificate at the signing time that the signer claims, or now.
func (s *signer) checkCertificate(m *formats.Meter, leaf *x509.Certificate, others []*x509.Certificate, p formats.Policy) error {
	at := p.Now
	if s.attributes != nil {
		for _, h := range s.attributes.certHashes {
			if !h.fitsCertificate(leaf.Raw) {
				return formats.NewError(formats.ReasonKeyMismatch, "the signature was made with another certificate of this name",
					"send the certificate that the signer used")
			}
		}
		if s.attributes.signingTime != nil {
			at = *s.attributes.signingTime
		}
	}
	if err := keyfile.CheckCertificate(leaf, at); err != nil {
		return err
	}
	note, err := keyfile.CheckCritical(leaf, p.Roots)
	if err != nil {
		return err
	}
	if note != "" {
		s.notes = append(s.notes, note)
	}
	if at.After(leaf.NotAfter) {
		at = leaf.NotAfter
		if err := s.judgeExpired(p); err != nil {
			return err
		}
	}
	s.addNotes(p, leaf.NotAfter)
	s.rooted = p.Roots != nil
	return s.key.CheckRoots(m, p.Roots, at, others...)
}

// judgeExpired decides about a certificate that had expired at the claimed signing time, or has by now when there is none.
func (s *signer) judgeExpired(p formats.Policy) error {
	timed := s.attributes != nil && s.attributes.signingTime != nil
	switch {
	case !timed && p.Roots == nil:
		return nil // a note says so
	case p.Allows(formats.ExceptionExpiredKey):
		s.addFinding(formats.ExceptionExpiredKey, formats.ReasonKeyExpired, "the signer's certificate had expired")
		return nil
	}
	return formats.NewError(formats.ReasonKeyExpired, "the signer's certificate had expired when the signature was made",
		"sign with a current certificate"+formats.HintHistorical)
}

func (s *signer) addNotes(p formats.Policy, notAfter time.Time) {
	timed := s.attributes != nil && s.attributes.signingTime != nil
	if p.Now.After(notAfter) {
		s.notes = append(s.notes, "the signer's certificate has expired by now")
	}
	if timed {
		s.notes = append(s.notes, "the signing time is the signer's claim")
	} else {
		s.notes = append(s.notes, "the signature does not say when it was made")
	}
	if p.Roots == nil {
		s.notes = append(s.notes, "the signer's certificate is not chained to a configured root")
	}
}
