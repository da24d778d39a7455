// SPDX-License-Identifier: Apache-2.0

package pkcs7

import (
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// parsed is a signature file whose signers are known. Beside signed attributes, they have been checked.
type parsed struct {
	data    *signedData
	kind    string
	content []byte // as it stands in the file; nil when detached
	signers []*signer
}

var _ formats.Parsed = (*parsed)(nil)

// interpretContainer reads everything but who signed.
func interpretContainer(m *formats.Meter, c container, p formats.Policy) (*parsed, error) {
	data, err := parseSignedData(m, c.der)
	if err != nil {
		return nil, err
	}
	if len(data.signers) > 1 {
		return nil, formats.NewError(formats.ReasonMultipleSignatures, "the CMS value has more than one signer",
			"sign once per signer, and send each signature by itself")
	}
	s := &parsed{data: data, kind: c.kind, content: data.content}
	if c.mime != nil {
		if data.content != nil {
			return nil, errMalformedSignature("the S/MIME signature carries a content of its own beside the signed part")
		}
		s.content = c.mime
	}
	for _, info := range data.signers {
		one, err := interpretSigner(info, p)
		if err != nil {
			return nil, err
		}
		s.signers = append(s.signers, one)
	}
	return s, nil
}

// Describe implements formats.Parsed.
func (p *parsed) Describe() formats.Description {
	s := p.signers[0]
	d := formats.Description{
		Format: name, Variant: p.describeVariant(s), Algorithm: s.describeAlgorithm(), Signers: []formats.Signer{s.describe()},
		Need: p.decideNeed(s), Threshold: 1, ClaimedTime: s.claimedTime(),
		Findings: slices.Clone(s.findings), Notes: slices.Clone(s.notes),
	}
	a, _ := formats.AlgorithmOf(s.scheme.hash)
	if d.Need == formats.NeedDigest {
		d.Digests = []formats.DigestAlgorithm{a}
	}
	if d.NotProjectable = s.refuseProjection(); d.NotProjectable == nil {
		d.Candidates = []formats.Candidate{s.buildCandidate(a)}
	}
	return d
}

func (p *parsed) decideNeed(s *signer) formats.Need {
	_, known := formats.AlgorithmOf(s.scheme.hash)
	switch {
	case p.content != nil:
		return formats.NeedNone
	case s.attributes != nil && known:
		return formats.NeedDigest
	default:
		return formats.NeedBytes
	}
}

func (p *parsed) describeVariant(s *signer) string {
	out := p.kind + ", detached"
	if p.content != nil {
		out = p.kind + ", attached"
	}
	switch {
	case s.attributes == nil:
		return out + ", no signed attributes"
	case len(s.attributes.certHashes) > 0:
		return out + ", CAdES"
	default:
		return out
	}
}
