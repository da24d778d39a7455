// SPDX-License-Identifier: Apache-2.0

package pkcs7

import (
	"crypto"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// parsed is a signature file whose signers are known. Beside signed attributes, they have been checked.
type parsed struct {
	data      *signedData
	kind      string
	content   []byte // as it stands in the file; nil when detached
	signers   []*signer
	unchecked []formats.Unchecked // signatures that none of the keys made
	keys      [][]byte            // that Parse needs again
}

var _ formats.Parsed = (*parsed)(nil)

// interpretContainer reads everything but who signed.
func interpretContainer(m *formats.Meter, c container) (*parsed, error) {
	data, err := parseSignedData(m, c.der)
	if err != nil {
		return nil, err
	}
	s := &parsed{data: data, kind: c.kind, content: data.content}
	if c.mime != nil {
		if data.content != nil {
			return nil, errMalformedSignature("the S/MIME signature carries a content of its own beside the signed part")
		}
		s.content = c.mime
	}
	return s, nil
}

// countHashes returns how many hashes of the content the signers need.
func (p *parsed) countHashes() int {
	n, seen := 0, map[crypto.Hash]bool{}
	for _, s := range p.signers {
		if h := s.scheme.hash; !seen[h] {
			seen[h] = true
			n++
		}
		if s.signsContent() {
			n++
		}
	}
	return n
}

// Describe implements formats.Parsed.
func (p *parsed) Describe() formats.Description {
	need, digests := p.decideNeed()
	var parts []formats.Description
	for _, s := range p.signers {
		d := formats.Description{
			Format: name, Variant: p.describeVariant(s), Algorithm: s.describeAlgorithm(), Signers: []formats.Signer{s.describe()},
			Need: need, Digests: slices.Clone(digests), Threshold: 1, ClaimedTime: s.claimedTime(),
			Findings: slices.Clone(s.findings), Notes: slices.Clone(s.notes),
		}
		if d.NotProjectable = s.refuseProjection(); d.NotProjectable == nil {
			d.Candidates = []formats.Candidate{s.buildCandidate()}
		}
		parts = append(parts, d)
	}
	return formats.CombineDescriptions(parts, slices.Clone(p.unchecked))
}

// decideNeed returns what serves all signers.
func (p *parsed) decideNeed() (formats.Need, []formats.DigestAlgorithm) {
	if p.content != nil {
		return formats.NeedNone, nil
	}
	first := p.signers[0].scheme.hash
	a, known := formats.AlgorithmOf(first)
	for _, s := range p.signers {
		if s.attributes == nil || !known || s.scheme.hash != first {
			return formats.NeedBytes, nil
		}
	}
	return formats.NeedDigest, []formats.DigestAlgorithm{a}
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
