// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"fmt"

	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// checkRecords checks that each log entry records what the receipt says.
func (v *verification) checkRecords() error {
	switch v.receipt.GetRepresentation() {
	case receiptpb.Receipt_NATIVE:
		v.report.proven("recorded as: NATIVE, the log says that this key signed this artifact")
		return v.checkProjections(true)
	case receiptpb.Receipt_PROJECTED:
		v.report.proven("recorded as: PROJECTED, the log says that this key signed the bytes this format really signs")
		return v.checkProjections(false)
	case receiptpb.Receipt_ATTESTED:
		return v.checkAttestations()
	}
	return malformed("does not say how the signature is recorded")
}

// checkProjections rebuilds every record from the signature just verified. As many different
// ones must be logged as together say what the signature says.
func (v *verification) checkProjections(native bool) error {
	logged := map[int]bool{}
	for i, e := range v.receipt.GetEntries() {
		record, err := bundledRecord(e)
		if err == nil {
			err = checkMessage(e.GetBundle(), record)
		}
		if err != nil {
			return wrap(err, ReasonEntryMismatch, fmt.Sprintf("log entry %d is not a record of this signature", i+1), hintEntry)
		}
		at := v.findProjection(record, native)
		if at < 0 {
			return refuse(ReasonEntryMismatch, fmt.Sprintf("log entry %d is for another signature, key or artifact", i+1), hintEntry)
		}
		p := v.verified.Projections[at]
		if !sameRecipe(p.Recipe, e.GetRecipe()) || !bytes.Equal(e.GetSpki(), p.SPKI) {
			return claim(fmt.Sprintf("has another key or recipe for log entry %d than the signature", i+1))
		}
		logged[at] = true
		v.report.logged = append(v.report.logged, logEntry{entry: e, projection: &p})
	}
	if need := max(v.description.Threshold, 1); len(logged) < need {
		return refuse(ReasonEntriesMissing, fmt.Sprintf("%d different signatures are logged where %d are needed", len(logged), need),
			"ask the gateway for the receipt again")
	}
	return nil
}

const hintEntry = "ask the gateway for the receipt again; if this repeats, it or the log answers wrongly"

func (v *verification) findProjection(r hashedrekord.Record, native bool) int {
	for i, p := range v.verified.Projections {
		want, err := recordOf(p)
		if err != nil || p.Native != native || p.VerifyDigest() != nil {
			continue
		}
		if want.KeyDetails == r.KeyDetails && bytes.Equal(want.SPKI, r.SPKI) &&
			bytes.Equal(want.Digest, r.Digest) && bytes.Equal(want.Signature, r.Signature) {
			return i
		}
	}
	return -1
}

func sameRecipe(want formats.Recipe, got *receiptpb.Recipe) bool {
	return bytes.Equal(want.Prefix, got.GetPrefix()) && bytes.Equal(want.Suffix, got.GetSuffix()) &&
		want.Artifact == got.GetArtifact() && want.CRLF == got.GetCrlf()
}

// bundledRecord returns the record in an entry of a log, when the bundle around it says the same.
func bundledRecord(e *receiptpb.LogEntry) (hashedrekord.Record, error) {
	t := logged(e)
	if k := t.GetKindVersion(); k.GetKind() != "hashedrekord" || k.GetVersion() != "0.0.2" {
		return hashedrekord.Record{}, fmt.Errorf("entry is %.20q %.20q, not hashedrekord 0.0.2", k.GetKind(), k.GetVersion())
	}
	r, err := hashedrekord.Parse(t.GetCanonicalizedBody())
	if err != nil {
		return hashedrekord.Record{}, fmt.Errorf("parsing log entry: %w", err)
	}
	m := e.GetBundle().GetVerificationMaterial()
	switch content := m.GetContent().(type) {
	case *bundlepb.VerificationMaterial_PublicKey:
		if len(r.Certificate) > 0 || content.PublicKey.GetHint() != KeyHint(r.SPKI) {
			return hashedrekord.Record{}, fmt.Errorf("bundle names another key than the entry")
		}
	case *bundlepb.VerificationMaterial_Certificate:
		if len(r.Certificate) == 0 || !bytes.Equal(content.Certificate.GetRawBytes(), r.Certificate) {
			return hashedrekord.Record{}, fmt.Errorf("bundle has another certificate than the entry")
		}
	default:
		return hashedrekord.Record{}, fmt.Errorf("bundle has neither a key hint nor a certificate")
	}
	return r, nil
}

// checkMessage compares a bundle's message signature with the record.
func checkMessage(b *bundlepb.Bundle, r hashedrekord.Record) error {
	m := b.GetMessageSignature()
	hash, _ := hashedrekord.HashAlgorithm(r.KeyDetails)
	if m.GetMessageDigest().GetAlgorithm() != hash || !bytes.Equal(m.GetMessageDigest().GetDigest(), r.Digest) ||
		!bytes.Equal(m.GetSignature(), r.Signature) {
		return fmt.Errorf("bundle has another digest or signature than the entry")
	}
	return nil
}

// logged returns the transparency log's part of an entry.
func logged(e *receiptpb.LogEntry) *rekorpb.TransparencyLogEntry {
	return e.GetBundle().GetVerificationMaterial().GetTlogEntries()[0]
}
