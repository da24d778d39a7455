// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// cloneDescription returns a copy that shares no slices with d but Parts.
func cloneDescription(d formats.Description) formats.Description {
	d.Signers = slices.Clone(d.Signers)
	d.SignedDigests = slices.Clone(d.SignedDigests)
	d.Candidates = slices.Clone(d.Candidates)
	d.Findings = slices.Clone(d.Findings)
	d.Notes = slices.Clone(d.Notes)
	d.Unchecked = slices.Clone(d.Unchecked)
	return d
}

func (p *parsed) buildDescription() {
	created := p.sig.created.UTC()
	d := formats.Description{
		Format:      name,
		Variant:     p.describeVariant(),
		Algorithm:   p.key.name + "/" + p.sig.hash.String(),
		Signers:     []formats.Signer{{SPKI: p.key.spki, Fingerprint: upperHex(p.use.key.Fingerprint), Algorithm: p.key.name}},
		Need:        formats.NeedBytes,
		ClaimedTime: &created,
		Threshold:   1,
		Findings:    p.findings,
		Notes:       p.collectNotes(),
	}
	if p.text != nil {
		d.Need = formats.NeedNone
	}
	if c, no := p.buildCandidate(); no != nil {
		d.NotProjectable = no
	} else {
		d.Candidates = []formats.Candidate{c}
		if p.bindsDigest() {
			a, _ := formats.AlgorithmOf(p.sig.hash) // one that has none makes a finding
			d.SignedDigests = []formats.DigestAlgorithm{a}
		}
	}
	p.description = d
}

// bindsDigest reports whether the signature is over the whole digest: ECDSA drops the end of
// one that is longer than its curve.
func (p *parsed) bindsDigest() bool {
	k, ok := p.key.key.(*ecdsa.PublicKey)
	return !ok || 8*p.sig.hash.Size() <= k.Params().BitSize
}

func (p *parsed) describeVariant() string {
	kind := "detached"
	switch {
	case p.text != nil:
		kind = "cleartext"
	case p.sig.kind == kindText:
		kind = "detached text"
	}
	return fmt.Sprintf("%s, v%d", kind, p.sig.version)
}

func (p *parsed) collectNotes() []string {
	notes := slices.Clone(p.use.notes)
	if p.sig.version == 3 {
		notes = append(notes, "the signature is of version 3, which current tools no longer make")
	}
	if p.sig.kind == kindText {
		notes = append(notes, "the signature is over text: other line ends verify as well")
	}
	return notes
}

// buildCandidate returns the hashedrekord this signature can be re-expressed as, or why not.
func (p *parsed) buildCandidate() (formats.Candidate, *formats.Error) {
	const hint = "sign with an RSA or ECDSA key: gpg --local-user KEYID --digest-algo SHA256 --detach-sign FILE"
	if len(p.findings) > 0 {
		return formats.Candidate{}, formats.NewError(formats.ReasonNotProjectable,
			"signatures that only the historical policy lets pass are never projected", hint)
	}
	c := formats.Candidate{SPKI: p.key.spki}
	c.Hash, _ = formats.AlgorithmOf(p.sig.hash)
	switch k := p.key.key.(type) {
	case *rsa.PublicKey:
		c.Scheme, c.Remedy = formats.RSAPKCS1v15, suggestRemedy("SHA256", p.text != nil)
		if bits := k.N.BitLen(); bits != 2048 && bits != 3072 && bits != 4096 {
			c.Remedy = "sign with an RSA key of 2048, 3072 or 4096 bits and gpg --digest-algo SHA256"
		}
	case *ecdsa.PublicKey:
		fitting := map[int]string{256: "SHA256", 384: "SHA384", 521: "SHA512"}
		c.Scheme, c.Remedy = formats.ECDSA, suggestRemedy(fitting[k.Curve.Params().BitSize], p.text != nil)
	case ed25519.PublicKey:
		c.Scheme, c.Hash, c.Remedy = formats.Ed25519, formats.SHA256, hint
	default:
		return formats.Candidate{}, formats.NewError(formats.ReasonNotProjectable, "the log has no such algorithm", hint)
	}
	return c, nil
}

func suggestRemedy(hash string, clear bool) string {
	if clear {
		return "sign with: gpg --digest-algo " + hash + " --clear-sign FILE"
	}
	return "sign with: gpg --digest-algo " + hash + " --detach-sign FILE"
}
