// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"

	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekord"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// RecordWhole returns the receipt's entry for a signature that a Rekor v1 log records itself, with the artifact. The signature in its bundle is
// the one in the record.
func RecordWhole(r rekord.Record, spki []byte) *receiptpb.LogEntry {
	return &receiptpb.LogEntry{
		Spki: spki,
		Bundle: &bundlepb.Bundle{
			MediaType:            BundleMediaType,
			VerificationMaterial: keyMaterial(spki),
			Content: &bundlepb.Bundle_MessageSignature{MessageSignature: &commonpb.MessageSignature{
				MessageDigest: &commonpb.HashOutput{Algorithm: commonpb.HashAlgorithm_SHA2_256, Digest: bytes.Clone(r.Digest[:])},
				Signature:     r.Signature,
			}},
		},
	}
}

// hasRekord reports whether an entry says to be a rekord.
func hasRekord(e *receiptpb.LogEntry) bool {
	return e.GetOwn() == nil && logged(e).GetKindVersion().GetKind() == rekord.KindName
}

// checkRekords makes every entry again from the signature just verified, its key and the artifact's digest. There is one entry for each log.
func (v *verification) checkRekords(ctx context.Context) error {
	want, err := v.makeRekord(ctx)
	if err != nil {
		return err
	}
	body, err := rekord.Body(want)
	if err != nil {
		return wrap(err, ReasonEntryMismatch, "no log entry of its kind can be a record of this signature", hintEntry)
	}
	spki := v.verified.Signers[0].SPKI
	for i, e := range v.receipt.GetEntries() {
		if !hasRekord(e) || logged(e).GetKindVersion().GetVersion() != rekord.APIVersion || !bytes.Equal(logged(e).GetCanonicalizedBody(), body) {
			return refuse(ReasonEntryMismatch, fmt.Sprintf("log entry %d is for another signature, key or artifact", i+1), hintEntry)
		}
		if err := checkRekordBundle(e, want, spki); err != nil {
			return wrap(err, ReasonEntryMismatch, fmt.Sprintf("log entry %d is not a record of this signature", i+1), hintEntry)
		}
		if e.GetRecipe() != nil || !bytes.Equal(e.GetSpki(), spki) {
			return claim(fmt.Sprintf("has another key or recipe for log entry %d than the signature", i+1))
		}
		v.report.logged = append(v.report.logged, logEntry{entry: e, whole: true})
	}
	v.report.proven("record: the log's own entry for this format, of which signature, key and file were made again byte for byte")
	if v.description.Format == minisignFormat {
		v.report.unproven("record: a trusted comment is not in it, and was checked by the signature file alone")
	}
	return nil
}

// minisignFormat is the format of whose signatures a log leaves out a part.
const minisignFormat = "minisign"

// makeRekord returns what the entries have to say.
func (v *verification) makeRekord(ctx context.Context) (rekord.Record, error) {
	if len(v.verified.Signers) != 1 || len(v.description.Findings) > 0 {
		return rekord.Record{}, claim("has a log entry of a kind that is for one good signature")
	}
	whole, err := v.findWhole(ctx)
	if err != nil {
		return rekord.Record{}, err
	}
	if whole == nil {
		return rekord.Record{}, refuse(ReasonEntryMismatch, "no log has entries of its own for such a signature", hintEntry)
	}
	r := rekord.Record{Whole: *whole}
	sum := v.digest(nil, formats.SHA256)
	if len(sum) != sha256.Size {
		return rekord.Record{}, refuse(ReasonMissingArtifact, "the log entry has the SHA-256 of the artifact, which is not known without it", "give the signed file (--artifact FILE)")
	}
	copy(r.Digest[:], sum)
	return r, nil
}

// findWhole returns the signature, as verified, in the form that a log records. Of a PGP key and of a TUF root the record has the copy that was sent, which
// the receipt has too, and the reader's own may be a later one: the same keys have to have signed by either.
func (v *verification) findWhole(ctx context.Context) (*formats.Whole, error) {
	policy, keys := v.policyAt(v.judged.at), v.receipt.GetSignature().GetKeys()
	policy.WithoutWhole = false
	switch v.description.Format {
	case pgpFormat:
	case tufFormat: // which is trusted, and not expired, by the reader's root
		policy.TUFRoots, policy.Historical = nil, formats.Historical{Allow: formats.ExceptionExpiredMetadata}
	default:
		keys = v.keys()
	}
	parsed, err := v.parseBy(formats.WithWork(ctx, formats.NewWork(formats.MaxWork)), keys, policy)
	if err != nil {
		return nil, wrap(err, ReasonEntryMismatch, "the receipt's copy of the key, which the log entry has, is not good", hintEntry)
	}
	for _, d := range parsed.Describe().Each() {
		if sameSigners(identities(d.Signers), identities(v.verified.Signers)) && d.Whole != nil {
			return d.Whole, nil
		}
	}
	return nil, nil
}

// checkRekordBundle compares the bundle around an entry with the record.
func checkRekordBundle(e *receiptpb.LogEntry, r rekord.Record, spki []byte) error {
	b := e.GetBundle()
	key, isKey := b.GetVerificationMaterial().GetContent().(*bundlepb.VerificationMaterial_PublicKey)
	if !isKey || key.PublicKey.GetHint() != KeyHint(spki) {
		return fmt.Errorf("bundle names another key than the entry")
	}
	m := b.GetMessageSignature()
	if m.GetMessageDigest().GetAlgorithm() != commonpb.HashAlgorithm_SHA2_256 || !bytes.Equal(m.GetMessageDigest().GetDigest(), r.Digest[:]) ||
		!bytes.Equal(m.GetSignature(), r.Signature) {
		return fmt.Errorf("bundle has another digest or signature than the entry")
	}
	return nil
}
