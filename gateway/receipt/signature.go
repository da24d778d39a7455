// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/textlayer"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// checkSignature verifies the original signature again, by the signer the caller expects.
func (v *verification) checkSignature(ctx context.Context) error {
	if c := v.options.Checked; c != nil {
		return v.takeChecked(c)
	}
	ctx = formats.EnsureWork(ctx)
	parsed, err := v.parseAtAnyMoment(ctx)
	if err != nil {
		return err
	}
	v.description = parsed.Describe()
	if n := len(v.description.Parts); n > 0 {
		return claim(fmt.Sprintf("is for a file with one signature, and this one has %d", n))
	}
	if err := v.checkClaimedTime(); err != nil {
		return err
	}
	if err := v.checkSigners(v.description.Signers); err != nil {
		return err
	}
	return v.verifyArtifact(ctx, parsed)
}

func (v *verification) verifyArtifact(ctx context.Context, parsed formats.Parsed) error {
	switch {
	case v.options.Digest != nil:
		return v.verifyByDigest(ctx, parsed)
	case v.options.Artifact == nil:
		return v.verifyEmbedded(ctx, parsed)
	}
	return v.verifyBytes(ctx, parsed)
}

// checkEach refuses when not each of the keys, and of the identities, that the caller expects is one of those who signed.
func (v *verification) checkEach(ctx context.Context, signed [][sha256.Size]byte) error {
	o := v.options
	if !o.Each {
		return nil
	}
	for _, id := range o.ExpectedSigners {
		if !slices.Contains(signed, id) {
			return refuse(ReasonSignerMismatch, identity(id)+" did not sign, or its signature is not recorded", hintEach)
		}
	}
	if len(o.ExpectedKeys) < 2 || v.receipt.GetSignature().GetFormat() == tufFormat {
		return nil
	}
	p := v.policyAt(v.judged.at)
	p.KnownOnly = true
	for i, k := range o.ExpectedKeys {
		parsed, err := v.parseBy(formats.WithWork(ctx, formats.NewWork(formats.MaxWork)), [][]byte{k}, p)
		if err != nil || !slices.ContainsFunc(identities(parsed.Describe().Signers), func(id [sha256.Size]byte) bool { return slices.Contains(signed, id) }) {
			return refuse(ReasonSignerMismatch, fmt.Sprintf("nobody with a key of file %d of the %d key files signed, or the signature is not recorded", i+1, len(o.ExpectedKeys)), hintEach)
		}
	}
	return nil
}

// tufFormat is the format whose key files are one chain.
const tufFormat = "tuf"

const hintEach = "each of several must have signed; put keys of which one is enough into one file (of certificates the public keys: openssl x509 -noout -pubkey), and so a certificate with its chain"

// parseAtAnyMoment reads the signature as of the first moment at which it is good, by the expected keys,
// or the receipt's own when there are none. When there is no such moment, the error is that of the first.
func (v *verification) parseAtAnyMoment(ctx context.Context) (formats.Parsed, error) {
	keys, moments := v.keys(), v.moments()
	var first error
	for _, m := range moments {
		parsed, err := v.parseBy(ctx, keys, v.policyAt(m.at))
		if err == nil {
			v.judged = m
			return parsed, nil
		}
		if first == nil {
			first = err
		}
		if !dependsOnTime(err) {
			break
		}
	}
	if v.options.Condensed && len(keys) == 0 && formats.ReasonOf(first) == formats.ReasonMissingKey {
		return nil, wrap(first, formats.ReasonMissingKey, "the proof has no copy of the signer's key", "give the signer's key (--key FILE)")
	}
	return nil, v.explain(ctx, first, keys, v.policyAt(moments[0].at))
}

// keys are those by which the signature is verified: the reader's own, or else the receipt's.
func (v *verification) keys() [][]byte {
	if len(v.options.ExpectedKeys) > 0 {
		return v.options.ExpectedKeys
	}
	return v.receipt.GetSignature().GetKeys()
}

// policyAt is the one the receipt names, as far as the caller allows it.
func (v *verification) policyAt(at time.Time) formats.Policy {
	o := v.options
	p := formats.Policy{
		Now:           at,
		SSHNamespaces: o.SSHNamespaces,
		// A reader publishes nothing: what the log has is compared.
		PublishUserIDs: true,
		KnownOnly:      v.receipt.GetFormatVersion() > versionOne, // a reader may have the keys of some
		WithoutWhole:   true,                                      // see findWhole
	}
	if v.receipt.GetPolicy().GetHistorical() {
		p.Historical = o.Historical
	}
	if known := v.earliest(); known != nil {
		p.KnownBy = known.T
	}
	if o.GatewayTrust != nil { // what a gateway signs is no release
		p.ForbiddenSigners = o.GatewayTrust.IDs()
	}
	for _, k := range o.ExpectedKeys { // a TUF root that the caller names is one the caller trusts
		if opened, err := textlayer.Unwrap(k); err == nil {
			p.TUFRoots = append(p.TUFRoots, sha256.Sum256(opened))
		}
	}
	return p
}

func (v *verification) parseBy(ctx context.Context, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
	s := v.receipt.GetSignature()
	return v.options.Registry.Parse(ctx, s.GetFormat(), s.GetContent(), keys, p)
}

// explain finds out why the signature was refused, where the plugin cannot know: it is good
// under the historical policy, or by the receipt's key but not by the expected ones.
func (v *verification) explain(ctx context.Context, err error, keys [][]byte, p formats.Policy) error {
	if historical := formats.AllowAll(v.receipt.GetPolicy().GetHistorical()); historical != p.Historical {
		p.Historical = historical
		if parsed, herr := v.parseBy(ctx, keys, p); herr == nil {
			return v.refuseHistorical(err, parsed.Describe().UsedExceptions())
		}
	}
	// Raw signatures are as long as their key: by another key they look malformed.
	if len(v.options.ExpectedKeys) > 0 && formats.ReasonOf(err) == formats.ReasonMalformedSignature {
		if _, rerr := v.parseBy(ctx, v.receipt.GetSignature().GetKeys(), p); rerr == nil {
			return wrap(err, ReasonSignerMismatch, "the signature is by the receipt's key, which is none of the expected ones",
				"check whose receipt this is, and that the key is the signer's")
		}
	}
	return signatureError(err)
}

// signatureError keeps what a plugin said, under a reason of this package.
func signatureError(err error) error {
	var e *formats.Error
	if !errors.As(err, &e) {
		return err // the reader's
	}
	switch e.Reason {
	case formats.ReasonKeyMismatch, formats.ReasonKeyNotTrusted:
		return wrap(err, ReasonSignerMismatch, e.Message, e.Hint)
	case formats.ReasonArtifactMismatch, formats.ReasonMissingArtifact:
		return err
	case formats.ReasonArtifactNotExpected, formats.ReasonNeedsBytes, formats.ReasonWrongDigestAlgorithm:
		return wrap(err, ReasonMissingArtifact, e.Message, e.Hint)
	}
	hint := hintOf(e)
	return wrap(err, ReasonSignatureInvalid, fmt.Sprintf("%s (%s)", e.Message, e.Reason), hint)
}

func wrap(err error, r formats.Reason, message, hint string) error {
	return formats.WrapError(err, r, message, hint)
}

// checkSigners compares those who signed (or are said to by the signature) with those the
// receipt names and those the caller expects.
func (v *verification) checkSigners(signers []formats.Signer) error {
	possible, expected := identities(signers), v.options.ExpectedSigners
	for _, s := range v.receipt.GetSigners() {
		id := sha256.Sum256(s.GetSpki())
		switch {
		case !slices.Contains(possible, id) && len(v.options.ExpectedKeys) > 0:
			return refuse(ReasonSignerMismatch, "the receipt is for a signature by "+identity(id)+", which is none of the expected keys",
				"check whose receipt this is, and that the key is the signer's")
		case !slices.Contains(possible, id):
			return claim("names " + identity(id) + " as a signer, who is none")
		case len(expected) > 0 && !slices.Contains(expected, id):
			return refuse(ReasonSignerMismatch, "the signature is by "+identity(id)+", who is not expected",
				"check whose receipt this is; the expected signer is "+identity(expected[0]))
		}
	}
	return nil
}

func identities(signers []formats.Signer) [][sha256.Size]byte {
	ids := make([][sha256.Size]byte, len(signers))
	for i, s := range signers {
		ids[i] = sha256.Sum256(s.SPKI)
	}
	return ids
}

func identity(id [sha256.Size]byte) string {
	const prefix = "sha256:"
	b := append(make([]byte, 0, len(prefix)+2*sha256.Size), prefix...)
	return string(hex.AppendEncode(b, id[:]))
}

func (v *verification) verifyEmbedded(ctx context.Context, parsed formats.Parsed) error {
	if v.description.Need != formats.NeedNone {
		return refuse(ReasonMissingArtifact, "the artifact is missing, and the signature does not contain it",
			"give the signed file (--artifact FILE)")
	}
	verified, err := parsed.Verify(ctx, formats.Artifact{})
	if err != nil {
		return signatureError(err)
	}
	v.verified = verified
	if err := v.checkDigests(nil); err != nil { // a TUF target, which its metadata only names
		return wrap(err, ReasonMissingArtifact, "the receipt is for a file that the signature does not contain",
			"give the signed file (--artifact FILE)")
	}
	return nil
}

// verifyBytes hashes the artifact beside the plugin, so that another artifact can be told
// from a broken signature.
func (v *verification) verifyBytes(ctx context.Context, parsed formats.Parsed) error {
	d, err := newDigester(v.receipt.GetArtifact().GetDigests())
	if err != nil {
		return err
	}
	reader := io.TeeReader(v.options.Artifact, d)
	verified, err := parsed.Verify(ctx, formats.FromReader(reader))
	if _, rerr := formats.Copy(ctx, io.Discard, reader); rerr != nil {
		return fmt.Errorf("reading artifact: %w", rerr)
	}
	embedded := v.description.Need == formats.NeedNone
	if err != nil {
		if merr := v.checkDigests(d); merr != nil && !embedded {
			return merr
		}
		return signatureError(err)
	}
	v.verified = verified
	if embedded { // the plugin has compared it with what is inside
		d = nil
	}
	return v.checkDigests(d)
}

// verifyByDigest has the plugin bind the digest to the signature. What the receipt says of the artifact has to be what came out of that.
func (v *verification) verifyByDigest(ctx context.Context, parsed formats.Parsed) error {
	verified, err := parsed.Verify(ctx, formats.FromDigest(*v.options.Digest))
	if err != nil {
		if merr := v.compareNamed(); merr != nil {
			return merr
		}
		return signatureError(err)
	}
	v.verified = verified
	a := v.receipt.GetArtifact()
	for _, claimed := range a.GetDigests() {
		if v.digest(nil, formats.DigestAlgorithm(claimed.GetAlgorithm())) == nil {
			return v.missBytes(fmt.Sprintf("a %.20q digest", claimed.GetAlgorithm()))
		}
	}
	if verified.Size < 0 && a.GetSize() >= 0 {
		return v.missBytes("a size")
	}
	return v.checkDigests(nil)
}

// compareNamed refuses a receipt for an artifact with another digest than the one at hand.
func (v *verification) compareNamed() error {
	for _, claimed := range v.receipt.GetArtifact().GetDigests() {
		if claimed.GetAlgorithm() == string(v.options.Digest.Algorithm) && !bytes.Equal(claimed.GetValue(), v.options.Digest.Value) {
			return otherArtifact(claimed)
		}
	}
	return nil
}

// missBytes is for a part of the receipt that only the artifact can be held against.
func (v *verification) missBytes(what string) error {
	return refuse(ReasonMissingArtifact, fmt.Sprintf("the receipt has %s of the artifact, and that cannot be told from its %s digest", what, v.options.Digest.Algorithm),
		"give the signed file (--artifact FILE)")
}

func otherArtifact(claimed *receiptpb.Digest) error {
	return refuse(ReasonArtifactMismatch, "the artifact is not the one the receipt is for",
		fmt.Sprintf("this receipt is for the file with %s:%x", claimed.GetAlgorithm(), claimed.GetValue()))
}

// checkDigests compares the receipt's digests with those of the artifact at hand.
func (v *verification) checkDigests(d *digester) error {
	for _, claimed := range v.receipt.GetArtifact().GetDigests() {
		got := v.digest(d, formats.DigestAlgorithm(claimed.GetAlgorithm()))
		if got == nil {
			return refuse(ReasonClaimMismatch, fmt.Sprintf("the receipt has a %.20q digest, which the signature does not bind", claimed.GetAlgorithm()),
				hintAgain)
		}
		if !slices.Equal(got, claimed.GetValue()) {
			return otherArtifact(claimed)
		}
	}
	if size := v.receipt.GetArtifact().GetSize(); v.verified != nil && size >= 0 && size != v.verified.Size {
		return refuse(ReasonArtifactMismatch, fmt.Sprintf("the artifact has %d bytes, the receipt says %d", v.verified.Size, size),
			"check that this is the signed file")
	}
	return nil
}

func (v *verification) digest(d *digester, a formats.DigestAlgorithm) []byte {
	if v.verified != nil {
		for _, g := range v.verified.Digests {
			if g.Algorithm == a {
				return g.Value
			}
		}
	}
	return d.sum(a)
}

// reportSignature adds what the signature proves.
func (v *verification) reportSignature() {
	for _, s := range v.verified.Signers {
		v.report.proven("signature: %s %s by %s (%s) verified over %s", v.description.Format, v.description.Algorithm,
			s.Fingerprint, identity(sha256.Sum256(s.SPKI)), v.size())
	}
	for _, g := range v.verified.Digests {
		v.report.proven("artifact: %s", g.Digest)
	}
	for _, f := range v.description.Findings {
		v.report.unproven("WEAK: %s (%s), accepted under the historical policy", f.Message, f.Reason)
	}
	v.reportAge()
	if len(v.options.ExpectedKeys) == 0 {
		v.report.unproven("key: whether it had expired or was revoked was judged by the receipt's own copy of it; give yours with --key")
	}
	if len(v.options.ExpectedKeys) > 0 || len(v.options.ExpectedSigners) > 0 {
		v.report.SignerChecked = true
		v.report.proven("signer: as expected")
		return
	}
	v.report.unproven("SIGNER NOT CHECKED: somebody made this signature; nothing says that it was who should have")
}

func (v *verification) size() string {
	if v.verified.Size < 0 {
		return "the digest"
	}
	if v.verified.Size == 1 {
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", v.verified.Size)
}

// checkClaims compares what the receipt says of the signature with what came out.
func (v *verification) checkClaims() error {
	claimed, verified := map[[sha256.Size]byte]bool{}, identities(v.verified.Signers)
	for _, s := range v.receipt.GetSigners() {
		id := sha256.Sum256(s.GetSpki())
		if claimed[id] {
			return claim("names " + identity(id) + " twice")
		}
		claimed[id] = true
	}
	for _, id := range verified {
		if !claimed[id] {
			return claim("does not name the signer " + identity(id))
		}
		delete(claimed, id)
	}
	for id := range claimed {
		return claim("names " + identity(id) + " as a signer, whose signature is not there")
	}
	if v.receipt.GetArtifact().GetEmbedded() != (v.description.Need == formats.NeedNone) {
		return claim("is wrong about the artifact being inside the signature")
	}
	if !v.sameTime() {
		return claim("has another signing time than the signature")
	}
	if err := v.checkFindings(); err != nil {
		return err
	}
	v.reportSignature()
	return nil
}

func claim(what string) error {
	return refuse(ReasonClaimMismatch, "the receipt "+what, hintAgain)
}

func (v *verification) sameTime() bool {
	claimed, got := v.receipt.GetSignature().GetClaimedTime(), v.description.ClaimedTime
	if claimed == nil || got == nil {
		return claimed == nil && got == nil
	}
	return claimed.AsTime().Equal(*got)
}

// checkFindings compares the weaknesses that the receipt names with those that came out. Those of time
// may differ: what had not expired for the gateway may have by now, and the reader's own copy of a
// key may not expire at all.
func (v *verification) checkFindings() error {
	var claimed, found []string
	for _, f := range v.receipt.GetFindings() {
		if !isOfTime(formats.Reason(f.GetReason())) {
			claimed = append(claimed, f.GetReason())
		}
	}
	for _, f := range v.description.Findings {
		if !isOfTime(f.Reason) {
			found = append(found, string(f.Reason))
		}
	}
	if !slices.Equal(claimed, found) {
		return claim("has other findings than the signature")
	}
	whose := "WEAK: " // bound by the gateway's statement
	if v.receipt.GetRepresentation() != receiptpb.Receipt_ATTESTED {
		whose = "receipt says: "
	}
	for _, f := range v.receipt.GetFindings() {
		if isOfTime(formats.Reason(f.GetReason())) && !v.isFound(f.GetReason()) {
			v.report.unproven("%sthe gateway found %s, and let it pass under its historical policy", whose, f.GetReason())
		}
	}
	return v.checkAllowed()
}

func (v *verification) isFound(reason string) bool {
	return slices.ContainsFunc(v.description.Findings, func(f formats.Finding) bool { return string(f.Reason) == reason })
}
