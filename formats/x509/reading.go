// SPDX-License-Identifier: Apache-2.0

package x509

import (
	"crypto"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/keyfile"
)

// reading is a signature read with one key that it fits.
type reading struct {
	key       keyfile.Key
	kind      string // of encoding: "DER", "r‖s, base64", "binary"
	signature []byte // as it is logged
	canonical []byte
	scheme    formats.Scheme
	hashes    []formats.DigestAlgorithm // tried in this order; none for SHA-1
	named     crypto.Hash               // that an RSA PKCS #1 v1.5 signature names; else 0
	findings  []formats.Finding
	notes     []string
	rooted    bool  // the certificate chains to the policy's roots
	refusal   error // why this key may not have signed, for the policy; nil when it may
}

// checkScheme refuses weak hashes, and notes what is not known before the artifact is.
func (s *reading) checkScheme(p formats.Policy) error {
	switch {
	case s.named == crypto.SHA1 && p.Allows(formats.ExceptionSHA1):
		s.addFinding(formats.ExceptionSHA1, formats.ReasonWeakAlgorithm, "the signature is over SHA-1")
	case s.named == crypto.SHA1 || s.named == crypto.MD5:
		return formats.NewError(formats.ReasonWeakAlgorithm, "the signature is over "+s.named.String()+", which is broken", hintSHA256+formats.HintHistorical)
	case s.scheme == formats.Ed25519ph:
		s.notes = append(s.notes, "whether this is Ed25519ph or pure Ed25519 shows only once the artifact is read")
	case len(s.hashes) > 1:
		s.notes = append(s.notes, "the signature does not name its hash, which shows only once the artifact is read")
	}
	return nil
}

// checkCertificate applies the policy to the key's certificate. A raw signature has no time
// of its own, so validity is judged now.
func (s *reading) checkCertificate(m *formats.Meter, p formats.Policy) error {
	at := p.Now
	if len(s.key.Chain) > 0 {
		leaf := s.key.Chain[0]
		if err := keyfile.CheckCertificate(leaf, p.Now); err != nil {
			return err
		}
		note, err := keyfile.CheckCritical(leaf, p.Roots)
		if err != nil {
			return err
		}
		if note != "" {
			s.notes = append(s.notes, note)
		}
		if p.Now.After(leaf.NotAfter) {
			at = leaf.NotAfter
			if err := s.judgeExpired(p); err != nil {
				return err
			}
		}
		if p.Roots == nil {
			s.noteUnchained()
		}
	}
	s.rooted = p.Roots != nil
	return s.key.CheckRoots(m, p.Roots, at)
}

// noteUnchained is for a certificate that is no more than the key it holds. Issuers that do not vouch for it are left out.
func (s *reading) noteUnchained() {
	s.notes = append(s.notes, "the signer's certificate is not chained to a configured root")
	if s.key.ChainFault != nil {
		s.notes = append(s.notes, s.key.ChainFault.Message+"; its issuers were left out")
		s.key.Chain = s.key.Chain[:1]
	}
}

// judgeExpired decides about an expired certificate. Without configured roots it is no more than the key it holds.
func (s *reading) judgeExpired(p formats.Policy) error {
	switch {
	case p.Roots == nil:
		s.notes = append(s.notes, "the signer's certificate has expired, and a raw signature does not say when it was made")
	case p.Allows(formats.ExceptionExpiredKey):
		s.addFinding(formats.ExceptionExpiredKey, formats.ReasonKeyExpired, "the signer's certificate has expired")
	default:
		return formats.NewError(formats.ReasonKeyExpired, "the signer's certificate has expired",
			"sign with a current certificate"+formats.HintHistorical)
	}
	return nil
}

func (s *reading) addFinding(e formats.Exceptions, r formats.Reason, message string) {
	s.findings = append(s.findings, formats.Finding{Reason: r, Message: message, Exception: e})
}

func (s *reading) describeSigner() formats.Signer {
	return formats.Signer{SPKI: s.key.SPKI, Fingerprint: formats.SignerID(s.key.SPKI).String(), Algorithm: formats.KeyName(s.key.Public)}
}

// describe is Describe of a signature that one key fits.
func (s *reading) describe() formats.Description {
	d := formats.Description{
		Format: name, Variant: s.describeVariant(), Algorithm: s.describeAlgorithm(), Signers: []formats.Signer{s.describeSigner()},
		Need: formats.NeedDigest, Digests: slices.Clone(s.hashes), Threshold: 1,
		Findings: slices.Clone(s.findings), Notes: slices.Clone(s.notes),
	}
	if len(s.hashes) == 0 {
		d.Need = formats.NeedBytes
	}
	if len(s.findings) > 0 {
		d.NotProjectable = formats.NewError(formats.ReasonNotProjectable,
			"a signature that only the historical policy lets pass is never recorded as it is", hintSHA256)
		return d
	}
	for _, h := range s.hashes { // more than one are alternatives: the signature does not say which
		d.Candidates = append(d.Candidates, s.buildCandidate(h))
	}
	if s.scheme == formats.Ed25519ph {
		d.Candidates = append(d.Candidates, s.buildPureCandidate())
	}
	return d
}

func (s *reading) describeVariant() string {
	if len(s.key.Chain) > 0 {
		return s.kind + ", certificate"
	}
	return s.kind + ", public key"
}

func (s *reading) describeAlgorithm() string {
	key := formats.KeyName(s.key.Public)
	switch {
	case s.named != 0:
		return key + "/" + s.named.String()
	case s.scheme == formats.RSAPSS:
		return key + "-PSS"
	default:
		return key
	}
}

func (s *reading) buildCandidate(h formats.DigestAlgorithm) formats.Candidate {
	return formats.Candidate{Native: true, SPKI: s.key.SPKI, Scheme: s.scheme, Hash: h, Remedy: s.suggestRemedy()}
}

// buildPureCandidate is for what turns out not to be Ed25519ph.
func (s *reading) buildPureCandidate() formats.Candidate {
	c := s.buildCandidate(formats.SHA256)
	c.Scheme = formats.Ed25519
	return c
}

// suggestRemedy says how to get a signature that every log takes from the same tool.
func (s *reading) suggestRemedy() string {
	switch s.scheme {
	case formats.ECDSA:
		return "sign with the hash as long as the curve: openssl dgst -" + string(s.hashes[0]) + " -sign KEY -out FILE.sig FILE"
	case formats.Ed25519ph:
		return "sign with Ed25519ph or with an ECDSA P-256 key"
	default:
		return "with an RSA key of 2048, 3072 or 4096 bits " + hintSHA256
	}
}
