// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// signedFile is a file with the signatures to check, at least one, and a description that sums them up. It is not
// changed once Parse has returned it.
type signedFile struct {
	parts       []*parsed
	unchecked   []byte // a digest of the signatures that nobody's key is known of; nil: there are none
	description formats.Description
}

var _ formats.Parsed = (*signedFile)(nil)

// draft is a signature packet on its way to a parsed one.
type draft struct {
	body []byte
	sig  *signature // nil: it cannot be read, for err
	err  error
	from issuer
}

// parseSignatures reads the signatures and finds who made each. Under KnownOnly those that name none of the keys are
// passed over, as long as one is left.
func parseSignatures(m *formats.Meter, bodies [][]byte, text *cleartext, keys [][]byte, p formats.Policy) (*signedFile, error) {
	drafts, err := readSignatures(m, bodies, p)
	if err != nil {
		return nil, err
	}
	ring, err := newKeyring(m, bodies, keys, p)
	if err != nil {
		return nil, err
	}
	found, err := ring.findCertificates(drafts)
	if err != nil {
		return nil, err
	}
	f := &signedFile{}
	var left []*draft
	seen := map[string]bool{}
	for i, d := range drafts {
		if p.KnownOnly && len(found[i]) == 0 {
			left = append(left, d)
			continue
		}
		part, err := ring.finishSignature(m, d, found[i], text)
		if err != nil {
			return nil, formats.NameSignature(err, i, len(drafts))
		}
		canonical := string(part.encodeCanonical())
		if seen[canonical] {
			return nil, formats.NewError(formats.ReasonMultipleSignatures, "the same signature is there twice", "send the file with each signature once")
		}
		seen[canonical] = true
		f.parts = append(f.parts, part)
	}
	if len(f.parts) == 0 {
		return nil, ring.refuseUnknown(left)
	}
	f.describe(left)
	return f, nil
}

// readSignatures reads the packets. Under KnownOnly one of a kind that is not supported may be anybody's
// business: it is refused only when one of the keys is said to have made it.
func readSignatures(m *formats.Meter, bodies [][]byte, p formats.Policy) ([]*draft, error) {
	drafts := make([]*draft, len(bodies))
	for i, body := range bodies {
		if err := m.ChargeParses(1); err != nil {
			return nil, err
		}
		sig, err := readSignature(body)
		mayPass := p.KnownOnly && len(bodies) > 1
		if err != nil && (!mayPass || !isUnsupported(err)) {
			return nil, formats.NameSignature(err, i, len(bodies))
		}
		if err == nil && !p.KnownOnly {
			if err := sig.checkPolicy(p); err != nil {
				return nil, formats.NameSignature(err, i, len(bodies))
			}
		}
		drafts[i] = &draft{body: body, sig: sig, err: err}
		if sig != nil {
			drafts[i].from = sig.issuer
		} else if drafts[i].from.keyID, err = guessIssuer(m, body); err != nil {
			return nil, err
		}
	}
	return drafts, nil
}

func isUnsupported(err error) bool {
	switch formats.ReasonOf(err) {
	case formats.ReasonUnsupportedVersion, formats.ReasonUnsupportedAlgorithm, formats.ReasonUnsupportedFeature, formats.ReasonWeakAlgorithm:
		return true
	}
	return false
}

// guessIssuer returns the first key id that a signature names which cannot be read in full.
func guessIssuer(m *formats.Meter, body []byte) (uint64, error) {
	ids, err := (&clock{meter: m}).listIssuers(body)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	return ids[0], nil
}

// keyring is the keys that policy lets count.
type keyring struct {
	files    *keyFiles
	policy   formats.Policy
	byPolicy bool // they are the policy's own
	several  bool // the file holds several signatures
}

func newKeyring(m *formats.Meter, bodies, submitted [][]byte, p formats.Policy) (*keyring, error) {
	r := &keyring{policy: p, byPolicy: len(p.Keys[name]) > 0, several: len(bodies) > 1}
	keys, limit := p.CandidateKeys(name, submitted), maxPackets
	if r.byPolicy {
		limit = math.MaxInt
	}
	if len(keys) == 0 {
		return nil, formats.NewError(formats.ReasonMissingKey, "PGP signatures need the signer's public key",
			"send it as key; print it with: gpg --armor --export KEYID")
	}
	if prepared, ok := p.Prepared[name].(*preparedKeys); ok && r.byPolicy {
		keys = prepared.selectFor(m, bodies)
	}
	r.files = &keyFiles{meter: m.ForKeys(p, name), files: keys, limit: limit}
	return r, nil
}

func (r *keyring) findCertificates(drafts []*draft) ([][]*certificate, error) {
	from := make([]issuer, len(drafts))
	for i, d := range drafts {
		from[i] = d.from
	}
	found, err := findCertificates(r.files.meter, r.files.files, from, r.files.limit)
	return found, r.policy.ExplainKeys(name, err)
}

// finishSignature finds the key that made the signature among the certificates that hold one it names.
func (r *keyring) finishSignature(m *formats.Meter, d *draft, found []*certificate, text *cleartext) (*parsed, error) {
	if d.err != nil {
		return nil, d.err
	}
	if err := d.sig.checkPolicy(r.policy); err != nil {
		return nil, err
	}
	p := &parsed{sig: d.sig, text: text, findings: d.sig.findings}
	use, err := d.sig.chooseKey(m, found, r.files, r.policy)
	if err != nil {
		return nil, err
	}
	if use == nil {
		return nil, r.errNoKey(d.from)
	}
	if err := p.setKey(use); err != nil {
		return nil, err
	}
	if err := r.policy.CheckSigner(p.key.spki); err != nil {
		return nil, err
	}
	p.buildDescription()
	if r.policy.WithoutWhole {
		return p, nil
	}
	if r.policy.PublishUserIDs {
		if err := m.ChargeChecks(wholeChecks, p.key.key); err != nil {
			return nil, err
		}
	}
	p.description.Whole, p.description.NotWhole = p.buildWhole(r.policy.PublishUserIDs)
	return p, nil
}

// refuseUnknown is the refusal when nobody's key is known.
func (r *keyring) refuseUnknown(left []*draft) error {
	if len(left) == 1 && left[0].err == nil {
		return r.errNoKey(left[0].from)
	}
	return formats.NewError(formats.ReasonKeyMismatch, fmt.Sprintf("none of the %d signatures is by one of the keys", len(left)),
		"send the public key of one who signed")
}

func (f *signedFile) describe(left []*draft) {
	descriptions := make([]formats.Description, len(f.parts))
	for i, p := range f.parts {
		descriptions[i] = p.description
	}
	var unchecked []formats.Unchecked
	var bodies [][]byte
	for _, d := range left {
		unchecked = append(unchecked, formats.Unchecked{Issuer: d.from.describe()})
		bodies = append(bodies, d.body)
	}
	f.unchecked = digestBodies(bodies)
	f.description = formats.CombineDescriptions(descriptions, unchecked)
	if len(f.parts)+len(left) > 1 { // one digest of signed bytes is of one signature
		f.description.SignedDigests = nil
	}
}

func (i issuer) describe() string {
	switch {
	case i.fingerprint != nil:
		return upperHex(i.fingerprint)
	case i.keyID == 0:
		return "unknown"
	}
	return fmt.Sprintf("%016X", i.keyID)
}

// digestBodies returns a digest of the packets in any order, or nil.
func digestBodies(bodies [][]byte) []byte {
	if len(bodies) == 0 {
		return nil
	}
	slices.SortFunc(bodies, bytes.Compare)
	h := sha256.New()
	for _, b := range bodies {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		h.Write(b)
	}
	return h.Sum(nil)
}

// Describe implements [formats.Parsed].
func (f *signedFile) Describe() formats.Description {
	d := cloneDescription(f.description)
	d.Parts = slices.Clone(d.Parts)
	for i := range d.Parts {
		d.Parts[i] = cloneDescription(d.Parts[i])
	}
	return d
}

// Verify implements [formats.Parsed]. Given the artifact's bytes, it returns the Projection
// whose Digest is the very digest that FromSignedDigest takes, where the file holds one signature: a client that verifies so
// needs nothing else to have a gateway verify without the artifact.
func (f *signedFile) Verify(ctx context.Context, a formats.Artifact) (*formats.Verified, error) {
	m, err := formats.StartWork(ctx, hintWork)
	if err != nil {
		return nil, err
	}
	for _, p := range f.parts {
		if err := m.ChargeChecks(1, p.key.key); err != nil {
			return nil, err
		}
	}
	verified, err := f.verifyParts(ctx, m, a)
	if err != nil {
		return nil, err
	}
	return f.combine(verified), nil
}

func (f *signedFile) verifyParts(ctx context.Context, m *formats.Meter, a formats.Artifact) ([]*formats.Verified, error) {
	if f.parts[0].text != nil {
		return f.verifyCleartext(ctx, m, a)
	}
	switch {
	case a.Reader() != nil:
		return f.verifyBytes(ctx, a.Reader())
	case a.SignedDigest() != nil && len(f.parts) == 1:
		v, err := f.parts[0].verifySigned(*a.SignedDigest(), f.description.SignedDigests)
		return []*formats.Verified{v}, err
	case a.SignedDigest() != nil, a.Digest() != nil:
		return nil, formats.NewError(formats.ReasonNeedsBytes, "a PGP signature is not over the artifact's own digest",
			"send the artifact, or let rekor-gateway submit verify it where the artifact is")
	}
	return nil, formats.NewError(formats.ReasonMissingArtifact, "the artifact is missing", "send the file that was signed")
}

// verifyBytes hashes the artifact once for all signatures.
func (f *signedFile) verifyBytes(ctx context.Context, artifact io.Reader) ([]*formats.Verified, error) {
	h, err := newHashing(f.parts)
	if err != nil {
		return nil, err
	}
	size, err := h.readArtifact(ctx, artifact)
	if err != nil {
		return nil, fmt.Errorf("reading the artifact: %w", err)
	}
	digest := artifactDigest(h.plain.Sum(nil)) // before a trailer is written to the same hash
	verified := make([]*formats.Verified, len(f.parts))
	for i, p := range f.parts {
		sum, err := h.sumFor(i)
		if err != nil {
			return nil, err
		}
		if verified[i], err = p.verifySum(sum, []formats.ArtifactDigest{digest}, size); err != nil {
			return nil, formats.NameSignature(err, i, len(f.parts))
		}
	}
	return verified, nil
}

// verifyCleartext verifies over the embedded text, with the file beside it read once.
func (f *signedFile) verifyCleartext(ctx context.Context, m *formats.Meter, a formats.Artifact) ([]*formats.Verified, error) {
	if a.SignedDigest() != nil && len(f.description.SignedDigests) == 0 {
		return nil, formats.NewError(formats.ReasonArtifactNotExpected, "a cleartext signature holds its artifact", "send it without a digest")
	}
	beside, err := f.parts[0].readBeside(ctx, a)
	if err != nil {
		return nil, err
	}
	verified := make([]*formats.Verified, len(f.parts))
	for i, p := range f.parts {
		if verified[i], err = p.verifyCleartext(m, a, beside); err != nil {
			return nil, formats.NameSignature(err, i, len(f.parts))
		}
	}
	return verified, nil
}

// combine sums up what was verified. The keys of all signers make one file, and so do the signatures' canonical forms,
// in an order that does not depend on the file's.
func (f *signedFile) combine(verified []*formats.Verified) *formats.Verified {
	var minimal [][]byte
	for _, p := range f.parts {
		if !slices.ContainsFunc(minimal, func(k []byte) bool { return bytes.Equal(k, p.use.minimal) }) {
			minimal = append(minimal, p.use.minimal)
		}
	}
	v := formats.CombineVerified(verified, [][]byte{slices.Concat(minimal...)})
	if len(v.Parts) > 0 {
		canonical := make([][]byte, len(v.Parts))
		for i, p := range v.Parts {
			canonical[i] = p.Canonical
		}
		slices.SortFunc(canonical, bytes.Compare)
		v.Canonical = slices.Concat(canonical...)
	}
	v.Form = f.unchecked
	return v
}
