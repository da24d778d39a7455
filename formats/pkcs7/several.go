// SPDX-License-Identifier: Apache-2.0

package pkcs7

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/keyfile"
)

// identifySigners finds the certificate of every signer that counts, and applies the policy to it.
func (p *parsed) identifySigners(m *formats.Meter, g givenKeys, policy formats.Policy) error {
	c, err := readCertificateSet(m, p.data.certificates, g.listCertificates())
	if err != nil {
		return err
	}
	n := len(p.data.signers)
	for i, info := range p.data.signers {
		if policy.KnownOnly && n > 1 && !c.knowsSigner(info, g) {
			p.unchecked = append(p.unchecked, formats.Unchecked{Issuer: c.deriveIssuer(info)})
			continue
		}
		s := &signer{info: info}
		if err := s.interpret(policy); err != nil {
			return nameSignature(err, i, n)
		}
		if err := s.identify(m, c, g, policy); err != nil {
			return nameSignature(err, i, n)
		}
		p.signers = append(p.signers, s)
	}
	if len(p.signers) == 0 {
		return formats.NewError(formats.ReasonKeyMismatch, "none of the keys made any of the signatures in the file",
			"send the certificate of one of the signers as key")
	}
	if p.countHashes() > formats.MaxHashes {
		return formats.NewError(formats.ReasonTooLarge, "the signatures in the file need more than 8 hashes of the artifact",
			"send them in several files")
	}
	if p.keys = p.listKeys(); len(p.keys) > formats.MaxKeys {
		return formats.NewError(formats.ReasonTooLarge, "the signatures in the file need more than 16 keys", "send them in several files")
	}
	return nil
}

// knowsSigner reports whether the signature names one of the keys, where there are any, else a certificate that is there.
func (c *certificates) knowsSigner(info signerInfo, g givenKeys) bool {
	for _, cert := range c.bySigner[info.name()] {
		if k, err := keyfile.FromCertificate(cert); err == nil && g.checkSigner(k.SPKI) == nil {
			return true
		}
	}
	return false
}

// deriveIssuer returns the identity of the key in the certificate that the signature names or, without one that can be read,
// the SHA-256 of its SignerIdentifier.
func (c *certificates) deriveIssuer(info signerInfo) string {
	id := sha256.Sum256([]byte(info.name()))
	if found := c.bySigner[info.name()]; len(found) == 1 {
		if k, err := keyfile.FromCertificate(found[0]); err == nil {
			id = sha256.Sum256(k.SPKI)
		}
	}
	return hex.EncodeToString(id[:])
}

// aboutKeys are reasons that concern one signature of several, which need not be among those that count.
var aboutKeys = []formats.Reason{
	formats.ReasonKeyMismatch, formats.ReasonMissingKey, formats.ReasonMalformedKey, formats.ReasonUnsupportedAlgorithm,
	formats.ReasonWeakAlgorithm, formats.ReasonKeyNotValid, formats.ReasonKeyExpired,
}

// nameSignature says which signature of a file a refusal is about.
func nameSignature(err error, i, n int) error {
	var refusal *formats.Error
	if n == 1 || !errors.As(err, &refusal) || refusal.Reason == formats.ReasonTooMuchWork {
		return err
	}
	hint := refusal.Hint
	if slices.Contains(aboutKeys, refusal.Reason) {
		hint = "send the certificates of the signers that count as keys, with signatures=known: the other signatures are then named and not checked"
	}
	return formats.WrapError(refusal.Unwrap(), refusal.Reason, fmt.Sprintf("signature %d of %d: %s", i+1, n, refusal.Message), hint)
}

// refuseRepeated refuses one signature that stands in the file twice.
func (p *parsed) refuseRepeated() error {
	seen := map[string]bool{}
	for _, s := range p.signers {
		canonical := string(s.encodeCanonical())
		if seen[canonical] {
			return errMalformedSignature("one signature stands in the file twice")
		}
		seen[canonical] = true
	}
	return nil
}

// listKeys returns what one Parse needs to find the same signers. Keys that are sent leave out all others, so
// either all signers' are among them or none.
func (p *parsed) listKeys() [][]byte {
	needed := len(p.unchecked) > 0 || slices.ContainsFunc(p.signers, func(s *signer) bool { return len(s.keys) > 0 })
	if !needed {
		return nil
	}
	var out [][]byte
	seen := map[string]bool{}
	for _, s := range p.signers {
		keys := s.keys
		if len(keys) == 0 {
			keys = [][]byte{s.key.PEM()}
		}
		for _, k := range keys {
			if !seen[string(k)] {
				seen[string(k)] = true
				out = append(out, k)
			}
		}
	}
	return out
}
