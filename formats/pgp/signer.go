// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"fmt"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// chooseKey returns the first of the certificates' keys that is fit. A revoked one among them
// refuses all; without a fit one the first one's refusal counts.
func (s *signature) chooseKey(m *formats.Meter, found []*certificate, files *keyFiles, policy formats.Policy) (use *keyUse, err error) {
	t := &clock{signed: s.created, knownBy: policy.KnownBy, now: policy.Now, checks: maxChecks, meter: m, files: files}
	var first error
	for _, cert := range found {
		fit, err := cert.evaluateKey(s.issuer, t, policy)
		if err == nil {
			err = s.checkKey(fit.key)
		}
		switch reason := formats.ReasonOf(err); {
		case reason == formats.ReasonKeyRevoked, reason == formats.ReasonTooLarge, reason == formats.ReasonTooMuchWork,
			err != nil && reason == "":
			return nil, err
		case err != nil && first == nil:
			first = err
		case err == nil && use == nil:
			use = fit
		}
	}
	if use != nil {
		return use, nil
	}
	return nil, first
}

// checkKey refuses a key of another version or algorithm than the signature's.
func (s *signature) checkKey(k *packet.PublicKey) error {
	version := max(s.version, 4) // version 3 signatures are made by version 4 keys
	if k.Version != version || k.PubKeyAlgo != s.algo {
		return formats.NewError(formats.ReasonKeyMismatch, "the key is of another kind than the signature",
			"send the key that made the signature")
	}
	return nil
}

func (r *keyring) errNoKey(from issuer) error {
	id := fmt.Sprintf("%016X", from.keyID)
	if r.byPolicy {
		return formats.NewError(formats.ReasonKeyNotTrusted, "key "+id+" is not among the keys this gateway trusts",
			"ask the gateway's operator to add it")
	}
	hint := "send that key: gpg --armor --export " + id + "; where it is a subkey, " + hintStaleKey
	if r.several && !r.policy.KnownOnly {
		hint += "; or say signatures=known: the signatures by other keys are then named and not checked"
	}
	return formats.NewError(formats.ReasonKeyMismatch, "the signature was made by key "+id+", which is not among the keys", hint)
}

// setKey takes the key over and turns the signature's values into its scheme's encoding.
func (p *parsed) setKey(use *keyUse) (err error) {
	if p.key = use.public; use.read != use.key {
		if p.key, err = readPublicKey(use.key); err != nil {
			return err
		}
	}
	var ok bool
	if p.raw, ok = p.key.signatureBytes(p.sig.values); !ok {
		return errMalformedSignature("the signature's numbers are too large for its key", "check that the key and the signature belong together")
	}
	p.use = use
	p.findings = append(p.findings, use.findings...)
	return nil
}
