// SPDX-License-Identifier: Apache-2.0

package x509

import (
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// parsed is a signature as read with each of the keys that it fits. ECDSA, Ed25519 and RSA-PSS do not show before the artifact
// is read which one made it.
type parsed struct {
	readings []*reading // whose key may sign, at least one
	refused  []*reading // whose key the policy refuses; tried last, to say so
}

var _ formats.Parsed = (*parsed)(nil)

// judgeReadings applies the policy to each reading. With several of them, one that only the historical policy lets pass
// is refused: nothing could be planned for it before the artifact is read.
func judgeReadings(m *formats.Meter, readings []*reading, p formats.Policy) (formats.Parsed, error) {
	s := &parsed{}
	for _, r := range readings {
		err := r.judge(m, p)
		switch reason := formats.ReasonOf(err); {
		case err != nil && (reason == "" || reason == formats.ReasonTooMuchWork):
			return nil, err
		case err == nil && len(r.findings) > 0 && len(readings) > 1:
			err = formats.NewError(r.findings[0].Reason, "several of the keys could have made this signature, and this one only the historical policy lets pass: "+
				r.findings[0].Message, "send the signer's key alone")
		}
		if r.refusal = err; err != nil {
			s.refused = append(s.refused, r)
			continue
		}
		s.readings = append(s.readings, r)
	}
	if len(s.readings) == 0 {
		return nil, s.refused[0].refusal
	}
	return s, nil
}

func (s *reading) judge(m *formats.Meter, p formats.Policy) error {
	if err := s.checkSigner(p); err != nil {
		return err
	}
	if err := s.checkScheme(p); err != nil {
		return err
	}
	return s.checkCertificate(m, p)
}

// checkSigner goes by the certificate where there is one: checkCertificate has it chain to the policy's roots.
func (s *reading) checkSigner(p formats.Policy) error {
	if len(s.key.Chain) > 0 {
		return p.CheckCertified(s.key.SPKI, s.key.Chain[0])
	}
	return p.CheckSigner(s.key.SPKI)
}

// Describe implements formats.Parsed. With several keys it says what holds for all of them, and lists what each
// could lead to.
func (s *parsed) Describe() formats.Description {
	d := s.readings[0].describe()
	for _, r := range s.readings[1:] {
		other := r.describe()
		d.Signers = append(d.Signers, other.Signers...)
		d.Candidates = append(d.Candidates, other.Candidates...)
		if other.Algorithm != d.Algorithm {
			d.Algorithm += " or " + other.Algorithm
		}
		for _, a := range other.Digests {
			if !slices.Contains(d.Digests, a) {
				d.Digests = append(d.Digests, a)
			}
		}
	}
	if len(s.readings) > 1 { // the signer's own are Verify's to give
		d.Notes = []string{"several of the keys could have made this signature; which one did shows only once the artifact is read"}
	}
	return d
}

// all returns the readings in the order in which they are tried.
func (s *parsed) all() []*reading { return slices.Concat(s.readings, s.refused) }
