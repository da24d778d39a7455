// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/tufrecord"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// RecordTUF returns the receipt's entry for TUF metadata that a Rekor v1 log records itself, with its root. The signature in its bundle is the metadata
// in the record, of which it has the SHA-256; spki is of one of the signers.
func RecordTUF(w formats.Whole, spki []byte) *receiptpb.LogEntry {
	digest := sha256.Sum256(w.Signature)
	return &receiptpb.LogEntry{
		Spki: spki,
		Bundle: &bundlepb.Bundle{
			MediaType:            BundleMediaType,
			VerificationMaterial: keyMaterial(spki),
			Content: &bundlepb.Bundle_MessageSignature{MessageSignature: &commonpb.MessageSignature{
				MessageDigest: &commonpb.HashOutput{Algorithm: commonpb.HashAlgorithm_SHA2_256, Digest: digest[:]},
				Signature:     w.Signature,
			}},
		},
	}
}

// hasTUF reports whether an entry says to be one of TUF metadata.
func hasTUF(e *receiptpb.LogEntry) bool {
	return e.GetOwn() == nil && logged(e).GetKindVersion().GetKind() == tufrecord.KindName
}

// checkTUFs makes every entry again from the metadata just verified and the receipt's root. There is one entry for each log.
func (v *verification) checkTUFs(ctx context.Context) error {
	if len(v.description.Findings) > 0 {
		return claim("has a log entry of a kind that is for good signatures")
	}
	want, err := v.findWhole(ctx)
	if err != nil {
		return err
	}
	if want == nil || want.Format != tufrecord.Format {
		return refuse(ReasonEntryMismatch, "no log has entries of its own for such a signature", hintEntry)
	}
	body, err := tufrecord.Body(*want)
	if err != nil {
		return wrap(err, ReasonEntryMismatch, "no log entry of its kind can be a record of this signature", hintEntry)
	}
	for i, e := range v.receipt.GetEntries() {
		if !hasTUF(e) || logged(e).GetKindVersion().GetVersion() != tufrecord.APIVersion || !bytes.Equal(logged(e).GetCanonicalizedBody(), body) {
			return refuse(ReasonEntryMismatch, fmt.Sprintf("log entry %d is for other metadata, or another root", i+1), hintEntry)
		}
		if err := checkTUFBundle(e, *want); err != nil {
			return wrap(err, ReasonEntryMismatch, fmt.Sprintf("log entry %d is not a record of this signature", i+1), hintEntry)
		}
		if e.GetRecipe() != nil || !slices.ContainsFunc(v.verified.Signers, func(s formats.Signer) bool { return bytes.Equal(s.SPKI, e.GetSpki()) }) {
			return claim(fmt.Sprintf("has another key or recipe for log entry %d than the signature", i+1))
		}
		v.report.logged = append(v.report.logged, logEntry{entry: e, whole: true})
	}
	v.report.proven("record: the log's own entry for this format, of which metadata and root (the receipt's) were made again byte for byte")
	return nil
}

// checkTUFBundle compares the bundle around an entry with the record.
func checkTUFBundle(e *receiptpb.LogEntry, w formats.Whole) error {
	b := e.GetBundle()
	key, isKey := b.GetVerificationMaterial().GetContent().(*bundlepb.VerificationMaterial_PublicKey)
	if !isKey || key.PublicKey.GetHint() != KeyHint(e.GetSpki()) {
		return fmt.Errorf("bundle names another key than the entry")
	}
	digest := sha256.Sum256(w.Signature)
	m := b.GetMessageSignature()
	if m.GetMessageDigest().GetAlgorithm() != commonpb.HashAlgorithm_SHA2_256 || !bytes.Equal(m.GetMessageDigest().GetDigest(), digest[:]) ||
		!bytes.Equal(m.GetSignature(), w.Signature) {
		return fmt.Errorf("bundle has another digest or signature than the entry")
	}
	return nil
}
