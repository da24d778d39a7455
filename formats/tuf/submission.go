// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// submission is verified metadata.
type submission struct {
	doc       *document
	trust     *trust
	quorums   []*quorum
	signers   []signer // of all quorums, each SPKI once, in order of key id
	recorded  []signer // the signers that have a Candidate
	canonical []byte
	desc      formats.Description
	checks    []string
}

var _ formats.Parsed = (*submission)(nil)

// verifySubmission does all that can be done without a target's bytes.
func verifySubmission(m *formats.Meter, d *document, t *trust, p formats.Policy) (*submission, error) {
	quorums, err := t.authorizeDocument(m, d)
	if err != nil {
		return nil, err
	}
	s := &submission{doc: d, trust: t, quorums: quorums, checks: []string{"signatures", "role", "threshold", "root-self-signed"}}
	verified := mergeSigners(quorums)
	s.signers = dropRepeated(verified)
	if quorums[0].role.delegated {
		s.checks = append(s.checks, "delegation")
	}
	for _, signer := range s.signers {
		if err := p.CheckSigner(signer.key.spki); err != nil {
			return nil, err
		}
	}
	if s.canonical, err = encodeDocument(m, d, verified); err != nil {
		return nil, err
	}
	if err := s.checkPins(p); err != nil {
		return nil, err
	}
	if err := s.checkExpiry(p); err != nil {
		return nil, err
	}
	s.buildDescription()
	if p.WithoutWhole {
		return s, nil
	}
	if err := s.setWhole(m, p.Now); err != nil {
		return nil, err
	}
	return s, nil
}

// mergeSigners returns what was verified for any of the quorums, in order of key id. One key may be in it
// under two ids: a root and its successor may name it differently.
func mergeSigners(quorums []*quorum) []signer {
	var out []signer
	for _, q := range quorums {
		for _, s := range q.signers {
			if !slices.ContainsFunc(out, func(o signer) bool { return o.keyID == s.keyID }) {
				out = append(out, s)
			}
		}
	}
	slices.SortFunc(out, func(a, b signer) int { return strings.Compare(a.keyID, b.keyID) })
	return out
}

func dropRepeated(all []signer) []signer {
	var out []signer
	for _, s := range all {
		if !slices.ContainsFunc(out, s.hasSameKey) {
			out = append(out, s)
		}
	}
	return out
}

// checkPins applies Policy.TUFRoots. Without them anybody can make up a root: then only the
// operator's own choice of keys spares the note.
func (s *submission) checkPins(p formats.Policy) error {
	if len(s.trust.roots) > 1 || s.doc.kind == roleRoot && len(s.quorums) > 1 {
		s.checks = append(s.checks, "root-chain")
	}
	switch {
	case len(p.TUFRoots) == 0 && len(p.Keys[name]) == 0:
		s.desc.Notes = append(s.desc.Notes, "the root was named by the submitter; nothing says it is the repository's")
	case len(p.TUFRoots) > 0 && !s.trust.isPinned(s.doc, p):
		return formats.NewError(formats.ReasonKeyNotTrusted, "the root is not one that this gateway trusts, nor does it follow from one",
			"send every version of the root from a trusted one on, or ask the operator to pin the SHA-256 of this root.json")
	case len(p.TUFRoots) > 0:
		s.checks = append(s.checks, "root-pinned")
	}
	return nil
}

// checkExpiry refuses what has expired; the historical policy lets it pass as a finding.
func (s *submission) checkExpiry(p formats.Policy) error {
	for _, d := range append([]*document{s.doc}, s.trust.listCurrent(s.doc)...) {
		if d.expires.After(p.Now) {
			continue
		}
		message := fmt.Sprintf("the %s metadata, version %d, expired at %s", d.kind, d.version, d.expires.UTC().Format("2006-01-02 15:04:05Z"))
		if !p.Allows(formats.ExceptionExpiredMetadata) {
			return formats.NewError(formats.ReasonMetadataExpired, message, "send the current version"+formats.HintHistorical)
		}
		s.desc.Findings = append(s.desc.Findings, formats.Finding{Reason: formats.ReasonMetadataExpired, Message: message, Exception: formats.ExceptionExpiredMetadata})
	}
	if len(s.desc.Findings) == 0 {
		s.checks = append(s.checks, "expiry")
	}
	return nil
}

// Describe implements formats.Parsed.
func (s *submission) Describe() formats.Description { return s.desc }

func (s *submission) buildDescription() {
	d := &s.desc
	d.Format, d.Need = name, formats.NeedNone
	d.Variant = s.describeVariant()
	var algorithms []string
	for _, signer := range s.signers {
		d.Signers = append(d.Signers, signer.describeSigner())
		if n := signer.key.describeAlgorithm(); !slices.Contains(algorithms, n) {
			algorithms = append(algorithms, n)
		}
	}
	d.Algorithm = strings.Join(algorithms, ", ")
	for _, q := range s.quorums {
		for _, n := range q.notes {
			if !slices.Contains(d.Notes, n) {
				d.Notes = append(d.Notes, n)
			}
		}
	}
	s.setCandidates()
}

func (s *submission) describeVariant() string {
	if s.quorums[0].role.delegated {
		return fmt.Sprintf("delegated targets metadata, version %d", s.doc.version)
	}
	return fmt.Sprintf("%s metadata, version %d", s.doc.kind, s.doc.version)
}

func (s signer) describeSigner() formats.Signer {
	return formats.Signer{SPKI: s.key.spki, Fingerprint: s.computed, Algorithm: formats.KeyName(s.key.public)}
}

const remedy = "sign with as many ECDSA P-256 keys (scheme ecdsa-sha2-nistp256) as the role's threshold asks for"

// setCandidates sets the candidates: the signatures that Rekor v2 can record, if they reach the
// threshold of every role by themselves; all of them else, which a log with more algorithms can record.
func (s *submission) setCandidates() {
	var recorded []signer
	for _, signer := range s.signers {
		if signer.key.isProjectable() {
			recorded = append(recorded, signer)
		}
	}
	if countNeeded(s.quorums, recorded) > len(recorded) {
		recorded = s.signers
	}
	s.desc.Threshold = countNeeded(s.quorums, nil)
	if len(s.desc.Findings) > 0 {
		s.desc.NotProjectable = formats.NewError(formats.ReasonNotProjectable,
			"the metadata passes under the historical policy alone", "send metadata that has not expired")
		return
	}
	s.recorded, s.desc.Threshold = recorded, countNeeded(s.quorums, recorded)
	for _, signer := range recorded {
		s.desc.Candidates = append(s.desc.Candidates, signer.key.buildCandidate())
	}
}

// countNeeded returns how many of recorded, whichever, reach every quorum's threshold: so many of
// them hold enough keys of a role even when they hold all that are not the role's.
func countNeeded(quorums []*quorum, recorded []signer) int {
	n := 0
	for _, q := range quorums {
		others := 0
		for _, r := range recorded {
			if !slices.ContainsFunc(q.signers, r.hasSameKey) {
				others++
			}
		}
		n = max(n, q.role.threshold+others)
	}
	return n
}
