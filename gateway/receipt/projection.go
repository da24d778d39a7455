// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// checkProjections rebuilds every record from the signature just verified. As many different
// ones must be logged as together say what the signature says.
func (v *verification) checkProjections(native bool) error {
	if err := v.fillEntries(native); err != nil {
		return err
	}
	logged := map[int]bool{}
	for i, e := range v.receipt.GetEntries() {
		record, err := loggedRecord(e)
		if err == nil {
			err = checkMessage(e, record)
		}
		if err != nil {
			return wrap(err, ReasonEntryMismatch, fmt.Sprintf("log entry %d is not a record of this signature", i+1), hintEntry)
		}
		at := v.findProjection(takenBy(e), record, native)
		if at < 0 {
			return refuse(ReasonEntryMismatch, fmt.Sprintf("log entry %d is for another signature, key or artifact", i+1), hintEntry)
		}
		p := v.verified.Projections[at]
		if !sameRecipe(p.Recipe, e.GetRecipe()) || !bytes.Equal(e.GetSpki(), p.SPKI) {
			return claim(fmt.Sprintf("has another key or recipe for log entry %d than the signature", i+1))
		}
		logged[at] = true
		v.reportMessage(p)
		v.report.logged = append(v.report.logged, logEntry{entry: e, projection: &p})
	}
	if need := max(v.description.Threshold, 1); len(logged) < need {
		return refuse(ReasonEntriesMissing, fmt.Sprintf("%d different signatures are logged where %d are needed", len(logged), need),
			hintAgain)
	}
	return nil
}

const hintEntry = hintAgain + "; if this repeats, it or the log answers wrongly"

// reportMessage says of a pure Ed25519 signature who can check it by the record.
func (v *verification) reportMessage(p formats.Projection) {
	switch {
	case p.Scheme != formats.Ed25519:
	case p.Message != nil:
		v.report.proven("record: it holds the message that was signed, so that anybody can check the signature by it")
	default:
		v.report.unproven("record: to check the signature in it takes the bytes that were signed, of which it holds a digest: monitors, who do not have them, have the gateway's word")
	}
}

func (v *verification) findProjection(list hashedrekord.Algorithms, r hashedrekord.Record, native bool) int {
	for i, p := range v.verified.Projections {
		want, err := recordOf(list, p)
		if err != nil || p.Native != native || p.VerifyDigest() != nil {
			continue
		}
		if want.KeyDetails == r.KeyDetails && bytes.Equal(want.SPKI, r.SPKI) &&
			bytes.Equal(want.Digest, r.Digest) && bytes.Equal(want.Signature, r.Signature) &&
			(want.Message == nil) == (r.Message == nil) && bytes.Equal(want.Message, r.Message) {
			return i
		}
	}
	return -1
}

func sameRecipe(want formats.Recipe, got *receiptpb.Recipe) bool {
	return bytes.Equal(want.Prefix, got.GetPrefix()) && bytes.Equal(want.Suffix, got.GetSuffix()) &&
		want.Artifact == got.GetArtifact() && want.CRLF == got.GetCrlf() && string(want.Hash) == got.GetHash()
}
